"""Where things lie, and names that stay where they belong (CFG-9, COMPAT-2, COMPAT-3, STORE-2, STORE-9, LEAK-8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.config.paths import (
    encode_name,
    expand_home,
    find_config_file,
    find_foreign_states,
    mirror_sessions_dir,
    render_template,
    resolve_state_dir,
    resolve_store_path,
    transcript_file_name,
)

HOME = Path("/house")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "/house/.instar"),
        ({"INSTAR_STATE_DIR": " "}, "/house/.instar"),
        ({"INSTAR_STATE_DIR": "/var/lib/instar"}, "/var/lib/instar"),
        ({"INSTAR_STATE_DIR": "~/state"}, "/house/state"),
    ],
)
def test_the_state_directory_is_named_or_in_the_home(env, expected):
    assert resolve_state_dir(env, home=HOME) == Path(expected)


@pytest.mark.parametrize(
    ("named", "env", "expected"),
    [
        (Path("x.json5"), {"INSTAR_CONFIG": "/y"}, ("x.json5", True)),
        (Path("~/x.json5"), {}, ("/house/x.json5", True)),
        (None, {"INSTAR_CONFIG": "~/y"}, ("/house/y", True)),
        (None, {"INSTAR_STATE_DIR": "/s"}, ("/s/instar.json5", False)),
        (None, {}, ("/house/.instar/instar.json5", False)),
    ],
)
def test_the_configuration_is_looked_for_in_three_places(named, env, expected):
    file, must_exist = find_config_file(named, env, home=HOME)
    assert (file, must_exist) == (Path(expected[0]), expected[1])


def test_state_of_the_predecessors_is_noticed(tmp_path):
    assert find_foreign_states(tmp_path) == ()
    (tmp_path / ".moltbot").mkdir()
    (tmp_path / ".openclaw").mkdir()
    (tmp_path / ".clawdbot").write_text("a file is no state")
    assert find_foreign_states(tmp_path) == (tmp_path / ".openclaw", tmp_path / ".moltbot")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("~", "/house"), ("~/a", "/house/a"), ("~root/a", "~root/a"), ("/a/~", "/a/~"), ("a", "a")],
)
def test_a_tilde_in_front_is_the_home(text, expected):
    assert expand_home(text, home=HOME) == Path(expected)


def test_a_template_takes_the_agent_as_one_name():
    assert render_template("~/a/{agentId}/b", agent_id="main", home=HOME) == Path("/house/a/main/b")
    assert render_template("/a/{agentId}", agent_id="../x", home=HOME) == Path("/a/%2E.%2Fx")


def test_the_mirror_lies_where_the_seeds_have_it():
    state = Path("/s")
    assert mirror_sessions_dir(state, "main") == Path("/s/agents/main/sessions")
    assert transcript_file_name("ab-1") == "ab-1.jsonl"
    assert transcript_file_name("ab-1", topic_id="4/2") == "ab-1-topic-4%2F2.jsonl"


def test_a_session_has_a_folder_of_its_own():
    path = resolve_store_path(Path("/s"), "agent:main:whatsapp:direct:+1555")
    assert path == Path("/s/sessions/agent%3Amain%3Awhatsapp%3Adirect%3A+1555")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("..", "%2E."),
        (".", "%2E"),
        (".hidden", "%2Ehidden"),
        ("", "%"),
        ("a/b\\c:d", "a%2Fb%5Cc%3Ad"),
        ("a\x00b", "a%00b"),
        ("a\u202eb", "a%E2%80%AEb"),
        ("50%", "50%25"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_no_name_is_a_way(text, expected):
    assert encode_name(text) == expected


def test_a_long_name_is_cut_and_told_apart():
    one, two = encode_name("x" * 10_000), encode_name("x" * 10_000 + "y")
    assert one != two
    assert len(one) < 200


@given(st.text(), st.text())
def test_two_texts_never_have_one_name(one, two):
    names = [encode_name(one), encode_name(two)]
    assert (names[0] == names[1]) == (one == two)
    for name in names:
        assert Path("/base", name).resolve().parent == Path("/base")
        assert len(name.encode()) <= 255
