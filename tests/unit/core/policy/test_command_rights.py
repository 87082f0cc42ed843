"""Who may give a command, and what becomes of it otherwise (CMD-4, CMD-33, CMD-35)."""

from __future__ import annotations

from typing import get_args

import pytest

from instar.core.policy.command_kinds import (
    Activation,
    Command,
    Compact,
    ContextReport,
    Elevated,
    Export,
    Inline,
    Pairing,
    Reset,
    Send,
    Status,
    Stop,
    Think,
    UsageMode,
)
from instar.core.policy.command_rights import command_name, decide_command, required_standing

EVERYBODY = {"authorised": (True, False), "owner": (True, True), "stranger": (False, False)}


def decide(command, who, *, is_group=True):
    is_authorised, is_owner = EVERYBODY[who]
    return decide_command(command, is_authorised=is_authorised, is_owner=is_owner, is_group=is_group)


def test_whoever_counts_as_an_owner_without_being_named_lets_in_nobody():
    command = Pairing(verb="approve", argument="ABCD2345")
    assert required_standing(command) == "named_owner"
    assert (decide(command, "owner").outcome, decide(command, "owner").rule) == ("swallow", "CMD-33")
    named = decide_command(command, is_authorised=True, is_owner=False, is_group=False, is_named_owner=True)
    assert (named.outcome, named.rule, named.command) == ("run", "LEAK-2", "pairing")


@pytest.mark.parametrize("command", [Status(), Compact(), Reset(trigger="/new"), Stop(), Elevated(level="off")])
def test_most_commands_obey_whoever_is_authorised(command):
    assert required_standing(command) == "authorised"
    assert decide(command, "authorised").outcome == "run"
    assert decide(command, "owner").outcome == "run"


@pytest.mark.parametrize(
    "command",
    [
        Send(setting="deny"),
        Activation(mode="always"),
        Export(),
        Elevated(level="full"),
        Inline(directives=(Elevated(level="on"),), text="x", at_start=True),
    ],
)
def test_some_obey_owners_only_and_are_swallowed_from_others(command):
    assert required_standing(command) == "owner"
    assert decide(command, "authorised").outcome == "swallow"
    assert decide(command, "owner").outcome == "run"


@pytest.mark.parametrize(
    ("command", "outcome", "rule"),
    [
        (Reset(trigger="/new"), "text", "CMD-4"),
        (Stop(is_bare=True), "text", "CMD-27"),
        (Stop(), "swallow", "CMD-33"),
        (Status(), "swallow", "CMD-33"),
        (Send(), "swallow", "SEND-10"),
        (Inline(directives=(Status(),), text="x", at_start=False), "text", "CMD-28"),
        (Inline(directives=(Status(),), text="x", at_start=True), "swallow", "CMD-33"),
    ],
)
def test_what_a_stranger_writes_is_swallowed_or_is_text(command, outcome, rule):
    decision = decide(command, "stranger")
    assert (decision.outcome, decision.rule) == (outcome, rule)


def test_activation_has_no_place_in_a_direct_chat():
    decision = decide(Activation(mode="always"), "owner", is_group=False)
    assert (decision.outcome, decision.rule) == ("place", "ACT-9")


@pytest.mark.parametrize(
    ("command", "name", "rule"),
    [
        (ContextReport(), "context", "CMD-21"),
        (UsageMode(), "usage", "CMD-28"),
        (Think(), "think", "CMD-28"),
        (Stop(), "stop", "CMD-26"),
        (Stop(is_bare=True), "stop", "CMD-27"),
    ],
)
def test_a_command_has_a_name_and_a_rule(command, name, rule):
    assert command_name(command) == name
    assert decide(command, "owner").rule == rule


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
def test_every_command_can_be_decided(kind):
    values = {"trigger": "/new", "directives": (), "text": "", "at_start": True, "channel": "c", "directive": None}
    command = kind(**{name: value for name, value in values.items() if name in kind.__dataclass_fields__})
    decided = decide_command(command, is_authorised=True, is_owner=True, is_group=True, is_named_owner=True)
    assert decided.outcome == "run"


def test_the_record_names_the_command_and_none_of_its_text():
    decision = decide(Reset(trigger="/new", remainder="my secret"), "owner").as_decision()
    assert (decision.kind, decision.outcome, decision.rule, decision.inputs) == (
        "command",
        "run",
        "CMD-8",
        {"command": "reset"},
    )
