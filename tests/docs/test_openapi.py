"""The description of the bridge's doors says what the code checks."""

from __future__ import annotations

import json

from instar.channels.bridge.openapi import build_openapi
from instar.protocol.json_schema import build_field_schema
from instar.protocol.params import Field
from tests.builders.tree import ROOT


def test_the_page_is_built_from_the_fields() -> None:
    page = (ROOT / "docs" / "reference" / "bridge.openapi.json").read_text(encoding="utf-8")
    assert json.loads(page) == build_openapi(), "run `python -m instar.channels.bridge.openapi`"


def test_a_field_is_described_with_its_bounds() -> None:
    assert build_field_schema(Field(name="a", most=5, nullable=True)) == {
        "anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]
    }
    assert build_field_schema(Field(name="a", kinds=("integer",), least=1, most=9, lowered=True)) == {
        "type": "integer",
        "minimum": 1,
    }
    assert build_field_schema(Field(name="a", kinds=("any",))) == {}
    inner = Field(name="o", kinds=("object",), fields=(Field(name="b", required=True),))
    assert build_field_schema(inner)["additionalProperties"] is True
