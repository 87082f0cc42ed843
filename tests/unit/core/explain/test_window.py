"""What fills the window, as fields that imported rows have too and as lines (STATUS-10…14, WHY-7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.context.system import InjectedFile, build_system_text
from instar.core.explain.window import (
    ToolSize,
    WindowNumbers,
    WindowReport,
    build_window_fields,
    format_window_report,
    parse_window_report,
    tell_window,
)
from tests.builders.turns import KEY, NOW

TOOLS = tuple(
    ToolSize(name=f"tool{number:02}", summary_chars=100 - number, schema_chars=10 * number, parameters=number)
    for number in range(32)
)
TEXT = build_system_text("Be kind.", [("AGENTS.md", "Be brief."), ("SOUL.md", None), ("USER.md", "x" * 30_000)])
NUMBERS = WindowNumbers(
    key=KEY,
    now=NOW,
    used=1_500,
    source="provider",
    counted_at=NOW - 90_000,
    billed_in=9_000,
    billed_out=12,
    limit=8_192,
)


def report(tools=TOOLS, **changes):
    made = WindowReport.of(TEXT, tools, source="run", at=NOW, workspace="/w", sandbox="non-main")
    return replace(made, **changes)


def told(made=None, numbers=NUMBERS, *, detail=False):
    return tell_window(made or report(), numbers, detail=detail).splitlines()


def test_the_report_comes_back_from_a_row_as_it_was():
    assert parse_window_report(format_window_report(report())) == report()


@pytest.mark.parametrize("value", [None, "text", {}, {"systemPrompt": 7}])
def test_a_row_without_a_report_has_none(value):
    assert parse_window_report(value) is None


def test_a_row_with_half_a_report_gives_what_it_has():
    half = {
        "systemPrompt": {"chars": "many"},
        "generatedAt": -5,
        "tools": {"entries": [{"name": "look"}, "no tool"]},
        "injectedWorkspaceFiles": [{"name": "A.md", "missing": True}, {"truncated": True, "rawChars": 9}],
        "sandbox": "off",
    }
    found = parse_window_report(half)
    assert found.at is None
    assert found.sandbox == "off"
    assert found.tools == (ToolSize(name="look", summary_chars=0, schema_chars=0, parameters=0),)
    assert [file.state for file in found.files] == ["MISSING", "TRUNCATED"]
    assert parse_window_report({"systemPrompt": {}}).files == ()


def test_the_list_names_files_tools_and_three_numbers():
    lines = told()
    assert lines[0] == f"Context of {KEY} (as the last request told it)"
    assert "Workspace: /w" in lines
    assert "- AGENTS.md: OK, 9 of 9 characters" in lines
    assert "- SOUL.md: MISSING" in lines
    assert any(line.startswith("- USER.md: TRUNCATED, ") and line.endswith("of 30000 characters") for line in lines)
    assert next(line for line in lines if line.startswith("Tools: ")).endswith("tool29 and 2 more")
    assert lines[-3:] == [
        "In the window now: 1.5k tokens (by provider, 1 minute ago)",
        "Billed so far: 9.0k in, 12 out",
        "The window holds: 8.2k tokens",
    ]
    assert not [line for line in lines if line.startswith("Largest")]


@pytest.mark.parametrize(
    ("age_ms", "told_age"),
    [(0, "1 second"), (1_999, "1 second"), (59_999, "59 seconds"), (60_000, "1 minute"), (179_000, "2 minutes")],
)
def test_a_count_tells_its_age(age_ms, told_age):
    lines = told(numbers=replace(NUMBERS, counted_at=NUMBERS.now - age_ms))
    assert lines[-3].endswith(f"(by provider, {told_age} ago)")


def test_what_is_not_known_is_said():
    lines = told(
        report((), source="estimate", workspace=""), replace(NUMBERS, counted_at=None, source="estimate", limit=None)
    )
    assert "an estimate" in lines[0]
    assert "Workspace: unknown" in lines
    assert "Tools: none" in lines
    assert lines[-3] == "In the window now: 1.5k tokens (by estimate)"
    assert lines[-1] == "The window holds: unknown"
    assert told(report(()), detail=True) == told(report(()))


def test_the_detail_ranks_tools_by_schema_and_by_description():
    lines = told(detail=True)
    schemas = lines.index("Largest schemas:")
    assert lines[schemas + 1] == "- tool31: 310 characters (≈ 78 tokens), 31 parameters"
    assert lines[schemas + 31] == "- … and 2 more"
    descriptions = lines.index("Largest descriptions:")
    assert lines[descriptions + 1] == "- tool00: 100 characters (≈ 25 tokens), 0 parameters"
    assert "- tool01: 99 characters (≈ 25 tokens), 1 parameter" in lines
    assert "- … and" not in "".join(told(report(TOOLS[:2]), detail=True))


def test_the_fields_name_the_numbers_apart():
    fields = build_window_fields(report(), NUMBERS)
    assert fields["session"] == {
        "totalTokens": 1_500,
        "totalTokensSource": "provider",
        "totalTokensAt": NOW - 90_000,
        "inputTokens": 9_000,
        "outputTokens": 12,
        "contextTokens": 8_192,
    }
    assert fields["report"]["tools"]["entries"][1]["propertiesCount"] == 1
    assert report().files[0] == InjectedFile(name="AGENTS.md", state="OK", raw_chars=9, injected_chars=9)
