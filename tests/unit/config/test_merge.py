"""Several settings changed at once, and hidden values that come back (RPC-22)."""

from __future__ import annotations

import pyjson5
import pytest

from instar.config.merge import merge_settings, restore_hidden
from instar.errors import ConfigError

TEXT = """{
  // who may share
  session: { dmScope: "main", reset: { atHour: 4 } },
  gateway: { auth: { token: "s3cret-token" } }, // keep me
  channels: { "my chat": { token: "chat-token", allowFrom: ["a", "b"] } },
}
"""


def test_objects_are_merged_and_everything_else_stays_as_it_is():
    text = merge_settings(TEXT, {"session": {"dmScope": "per-peer", "reset": {"idleMinutes": 5}}, "memory": {}})
    assert pyjson5.decode(text) == {
        "session": {"dmScope": "per-peer", "reset": {"atHour": 4, "idleMinutes": 5}},
        "gateway": {"auth": {"token": "s3cret-token"}},
        "channels": {"my chat": {"token": "chat-token", "allowFrom": ["a", "b"]}},
        "memory": {},
    }
    assert "// who may share" in text
    assert "// keep me" in text


def test_null_takes_away_and_lists_are_put_in_whole():
    text = merge_settings(TEXT, {"session": None, "channels": {"my chat": {"allowFrom": ["c"]}}})
    value = pyjson5.decode(text)
    assert "session" not in value
    assert value["channels"]["my chat"] == {"token": "chat-token", "allowFrom": ["c"]}


def test_an_empty_file_takes_a_patch():
    assert pyjson5.decode(merge_settings("", {"session": {"dmScope": "per-peer"}})) == {
        "session": {"dmScope": "per-peer"}
    }


def test_a_value_that_came_back_hidden_stays_what_it_was():
    shown = TEXT.replace("s3cret-token", "HIDDEN").replace("chat-token", "HIDDEN").replace('"a"', '"HIDDEN"')
    assert restore_hidden(shown, TEXT, mark="HIDDEN") == TEXT
    assert restore_hidden(TEXT, TEXT, mark="HIDDEN") == TEXT


@pytest.mark.parametrize("old", ["", "{}", '{gateway: {auth: {token: "HIDDEN"}}}'])
def test_a_hidden_value_without_an_old_one_is_refused(old):
    with pytest.raises(ConfigError, match="A hidden value cannot be kept") as caught:
        restore_hidden('{gateway: {auth: {token: "HIDDEN"}}}', old, mark="HIDDEN")
    assert caught.value.path == "gateway.auth.token"
