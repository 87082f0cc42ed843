"""The system text is the prompt and the agent's files, each cut at its limit."""

import pytest

from instar.core.context.system import InjectedFile, build_group_intro, build_system_text

LIMIT_CHARS = 20_000
"""Of TRANS-21."""


def test_files_follow_the_prompt_under_their_names():
    system = build_system_text("Be kind.", [("AGENTS.md", "rules\n"), ("SOUL.md", None), ("USER.md", "Ann")])

    assert system.text == "Be kind.\n\n# AGENTS.md\n\nrules\n\n# USER.md\n\nAnn"
    assert system.files == (
        InjectedFile(name="AGENTS.md", state="OK", raw_chars=6, injected_chars=5),
        InjectedFile(name="SOUL.md", state="MISSING", raw_chars=0, injected_chars=0),
        InjectedFile(name="USER.md", state="OK", raw_chars=3, injected_chars=3),
    )


@pytest.mark.parametrize("prompt", [None, "", " \n"])
def test_default_prompt_stands_where_none_is_given(prompt):
    assert "assistant" in build_system_text(prompt, []).text


def test_long_file_is_cut_and_says_so():
    system = build_system_text("p", [("AGENTS.md", "x" * (LIMIT_CHARS + 1))])

    assert "x" * LIMIT_CHARS + "\n[AGENTS.md is longer" in system.text
    assert system.files[0].state == "TRUNCATED"
    assert system.files[0].raw_chars == LIMIT_CHARS + 1


def test_file_of_exactly_the_limit_is_whole():
    system = build_system_text("p", [("AGENTS.md", "x" * LIMIT_CHARS)])

    assert (system.files[0].state, system.files[0].injected_chars) == ("OK", LIMIT_CHARS)


def test_empty_file_adds_nothing():
    system = build_system_text("p", [("AGENTS.md", " \n")])

    assert system.text == "p"
    assert system.files == (InjectedFile(name="AGENTS.md", state="OK", raw_chars=2, injected_chars=0),)


def test_a_group_is_told_with_its_name_and_what_wakes_the_agent():
    told = build_group_intro(channel="telegram", title="Kitchen\n  talk", mode="mention")
    assert told.startswith("# Group\n\nThis is the group “Kitchen talk” on telegram. Several people write;")
    assert "You are asked when somebody addresses you" in told
    assert "NO_REPLY" in build_group_intro(channel="telegram", title="", mode="always")
    assert "by commands only" in build_group_intro(channel="x", title="", mode="command")
    assert build_group_intro(channel="x", title="t" * 500, mode="moon").endswith("each message says who.")
    assert len(build_group_intro(channel="x", title="t" * 500, mode="moon")) < 200
