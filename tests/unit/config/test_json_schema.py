"""The configuration as JSON Schema, for forms (RPC-22)."""

from __future__ import annotations

import json

from instar.config.json_schema import build_hints, build_schema


def test_the_schema_knows_settings_by_their_names_and_says_nothing_else():
    schema = build_schema()
    session = schema["$defs"]["Session"]["properties"]
    assert session["dmScope"]["description"]
    assert {"resetByType", "identityLinks", "sendPolicy"} <= session.keys()
    # A setting may be called like a word of the schema; words about settings are in the hints.
    assert "mode" in schema["$defs"]["Queue"]["properties"]
    text = json.dumps(schema)
    assert '"rules":' not in text
    assert '"later":' not in text


def test_each_setting_has_its_line_of_help():
    hints = build_hints()
    assert hints["gateway.port"]["default"] == "18789"
    assert hints["gateway.port"]["help"]
    assert hints["gateway.mode"]["advanced"] is True
