"""Reading chat commands (CMD-1…35)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.policy.command_kinds import (
    Activation,
    Commands,
    Compact,
    ContextReport,
    Dock,
    Elevated,
    Export,
    Help,
    Inline,
    Model,
    Name,
    Pairing,
    Pin,
    Queue,
    Reasoning,
    Reset,
    Resume,
    Send,
    Status,
    Stop,
    Think,
    UsageMode,
    Verbose,
    WhoAmI,
    Why,
)
from instar.core.policy.commands import CommandContext, parse_command, parse_reset
from instar.core.policy.model_choice import ModelNames
from instar.core.queue.settings import QueueDirective

NAMES = ModelNames(
    allowed=("openai/gpt-5.2", "anthropic/claude-opus-4-5"), aliases={"opus": "anthropic/claude-opus-4-5"}
)
HERE = CommandContext(models=NAMES)


def parse(text, **changes):
    return parse_command(text, CommandContext(models=NAMES, **changes))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", Status()),
        ("/context", ContextReport(sub="help")),
        ("/context HELP", ContextReport(sub="help", given="HELP")),
        ("/context show", ContextReport(sub="list", given="show")),
        ("/context deep", ContextReport(sub="detail", given="deep")),
        ("/context json please", ContextReport(sub="json", given="json")),
        ("/context banana", ContextReport(sub=None, given="banana")),
        ("/compact", Compact()),
        ("/compact: Keep the Names", Compact(instructions="Keep the Names")),
        ("/compact:Keep the Names", Compact(instructions="Keep the Names")),
        ("/compact:", Compact()),
        ("/compact keep names", Compact(instructions="keep names")),
        ("/compact Undo", Compact(undo=True)),
        ("/compact undo the mess", Compact(instructions="undo the mess")),
        ("/send on", Send(setting="allow")),
        ("/SEND Off", Send(setting="deny")),
        ("/send default", Send(setting="inherit")),
        ("/send", Send(setting=None)),
        ("/send maybe", Send(setting=None)),
        ("/activation Mention", Activation(mode="mention", given="Mention")),
        ("/activation", Activation()),
        ("/activation sometimes", Activation(mode=None, given="sometimes")),
        ("/queue", Queue(directive=QueueDirective())),
        ("/queue collect cap:5", Queue(directive=QueueDirective(mode="collect", cap=5))),
        ("/queue reset", Queue(directive=QueueDirective(reset=True))),
        ("/queue banana", Queue(directive=QueueDirective(rest="banana"))),
        ("/queue cap:x", Queue(directive=QueueDirective(problem="cap:x"))),
        ("/stop", Stop()),
        ("/stop doing that", Stop()),
        ("Stop", Stop(is_bare=True)),
        ("Alice: esc", Stop(is_bare=True)),
        ("/model", Model()),
        ("/model opus", Model(model="anthropic/claude-opus-4-5", given="opus")),
        ("/model openai gpt-5.2", Model(model="openai/gpt-5.2", given="openai gpt-5.2")),
        ("/model unheard of", Model(given="unheard of")),
        ("/think", Think()),
        ("/think: High", Think(level="high", given="High")),
        ("/think about it", Think(given="about it")),
        ("/verbose on", Verbose(level="on", given="on")),
        ("/verbose", Verbose()),
        ("/reasoning stream", Reasoning(level="stream", given="stream")),
        ("/reasoning", Reasoning()),
        ("/elevated full", Elevated(level="full", given="full")),
        ("/elevated", Elevated()),
        ("/usage tokens", UsageMode(level="tokens", given="tokens")),
        ("/usage", UsageMode()),
        ("/dock-telegram", Dock(channel="telegram")),
        ("/dock_TG", Dock(channel="telegram")),
        ("/name My Trip", Name(title="My Trip")),
        ("/name", Name()),
        ("/export-session out/Talk.md", Export(path="out/Talk.md")),
        ("/export", Export()),
        ("/whoami", WhoAmI()),
        ("/help", Help()),
        ("/help me", Help()),
        ("/commands", Commands()),
        ("/pairing", Pairing(verb="list")),
        ("/pairing LIST", Pairing(verb="list")),
        ("/pairing Approve abcd 2345", Pairing(verb="approve", argument="abcd 2345")),
        ("/pairing reject ABCD2345", Pairing(verb="reject", argument="ABCD2345")),
        ("/pairing revoke 42", Pairing(verb="revoke", argument="42")),
        ("/pairing approve", Pairing(verb=None)),
        ("/pairing list all", Pairing(verb=None)),
        ("/pairing forget 42", Pairing(verb=None)),
        ("/why", Why()),
        ("/resume 3f2a", Resume(which="3f2a")),
        ("/resume", Resume()),
        ("/pin", Pin()),
        ("/pin a1b2c3d4", Pin(which="a1b2c3d4")),
    ],
)
def test_a_command_is_read(text, command):
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "please /compact",
        "/send on now",
        "/sender on",
        "/dock-pigeon",
        "/dock-",
        "/help: me",
        "/unknown",
        "//status",
        "stop it",
        "wait!",
    ],
)
def test_anything_else_is_ordinary_text(text):
    assert parse(text) is None


def test_a_configured_channel_can_be_docked_to():
    assert parse("/dock-pigeon", channels=frozenset({"pigeon"})) == Dock(channel="pigeon")
    assert parse("/dock-telegram", channels=frozenset({"pigeon"})) is None


def test_a_mention_in_front_hides_no_command_in_a_group():
    found = parse("@bot /status", is_group=True, mention_patterns=(r"@bot\b",))
    assert found == Status()


# ---------------------------------------------------------------- inside other text


def test_a_directive_in_front_of_text_holds_for_this_turn():
    assert parse("/think high what is [2+2]?") == Inline(
        directives=(Think(level="high", given="high"),), text="what is [2+2]?", at_start=True
    )
    assert parse("/status and how are you?") == Inline(directives=(Status(),), text="and how are you?", at_start=True)


def test_a_directive_in_the_middle_is_found_too():
    assert parse("how are you /status") == Inline(directives=(Status(),), text="how are you", at_start=False)
    assert parse("/queue steer go on") == Inline(
        directives=(Queue(directive=QueueDirective(mode="steer")),), text="go on", at_start=True
    )


def test_several_directives_and_nothing_else_leave_no_text():
    found = parse("/think low /verbose on")
    assert isinstance(found, Inline)
    assert (found.text, len(found.directives)) == ("", 2)


def test_a_directive_after_an_unknown_command_is_inside_other_text():
    assert parse("/unknown /verbose on") == Inline(
        directives=(Verbose(level="on", given="on"),), text="/unknown", at_start=False
    )


# ---------------------------------------------------------------- reset


def test_a_trigger_starts_over_with_model_and_prompt():
    assert parse("/new opus Plan the Day") == Reset(
        trigger="/new", model="anthropic/claude-opus-4-5", remainder="Plan the Day"
    )


def test_the_longest_trigger_counts():
    triggers = ("/new", "/new  Chat", "")
    assert parse("/NEW chat hello", triggers=triggers) == Reset(trigger="/new chat", remainder="hello")
    assert parse("/new chatter", triggers=triggers) == Reset(trigger="/new", remainder="chatter")


def test_soft_is_a_word_of_reset_only():
    assert parse("/reset SOFT Go on") == Reset(trigger="/reset", mode="soft", remainder="Go on")
    assert parse("/new soft") == Reset(trigger="/new", remainder="soft")


def test_a_trigger_in_letters_that_grow_in_lower_case_still_ends_where_it_ends():
    assert parse("İŞ Plan", triggers=("İş",)) == Reset(trigger="i̇ş", remainder="Plan")


def test_a_reset_can_be_looked_for_alone():
    assert parse_reset("Alice: /new", HERE) == Reset(trigger="/new")
    assert parse_reset("/status", HERE) is None


# ---------------------------------------------------------------- whatever people write

words = st.sampled_from(
    [
        "/new",
        "/reset",
        "soft",
        "/think",
        "high",
        "/status",
        "/queue",
        "collect",
        "cap:5",
        "/send",
        "on",
        "/model",
        "opus",
        "openai",
        "@bot",
        "Alice:",
        "[x]",
        "stop",
        "\n",
        "hi",
    ]
)


@given(st.lists(words | st.text(max_size=5)).map(" ".join), st.booleans())
def test_no_text_breaks_the_reader_and_case_of_a_command_does_not_matter(text, is_group):
    context = CommandContext(models=NAMES, is_group=is_group, mention_patterns=(r"@bot\b",))
    command = parse_command(text, context)
    if command is not None and text.isascii():
        assert type(parse_command(text.upper(), context)) is type(command)
