"""What fills a model's window: `/context` and its report (STATUS-10…14, WHY-7).

What belongs here: the report as a value, as stored and wire fields, and as lines. What does not: reading workspaces
and tools. The stored form is that of OpenClaw's `systemPromptReport`, so that imported sessions show theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from instar.core.context.system import FILE_LIMIT_CHARS, InjectedFile, SystemText
from instar.core.context.tokens import estimate_chars
from instar.core.explain.status import format_count
from instar.core.lifecycle.notice import format_span
from instar.core.model.ids import Instant, SessionKey

__all__ = [
    "ToolSize",
    "WindowNumbers",
    "WindowReport",
    "build_window_fields",
    "format_window_report",
    "parse_window_report",
    "tell_window",
]

_TOOLS_LISTED: Final = 30
_DETAILS_LISTED: Final = 30

USAGE: Final = "Usage: /context list (what is in the window), detail (the largest parts), json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSize:
    """What a tool takes of the window, in characters: its name with its description, and its schema."""

    name: str
    summary_chars: int
    schema_chars: int
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """What a model is told before the conversation. `source` says whether a request was made of it (STATUS-13).

    `project_chars` are the part of `system_chars` that comes from files of the workspace.
    """

    source: Literal["run", "estimate"]
    at: Instant | None
    workspace: str
    sandbox: str
    system_chars: int
    project_chars: int
    files: tuple[InjectedFile, ...]
    tools: tuple[ToolSize, ...]

    @classmethod
    def of(
        cls,
        text: SystemText,
        tools: Sequence[ToolSize],
        *,
        source: Literal["run", "estimate"],
        at: Instant,
        workspace: str,
        sandbox: str,
    ) -> WindowReport:
        """The report on a system text and its tools."""
        return cls(
            source=source,
            at=at,
            workspace=workspace,
            sandbox=sandbox,
            system_chars=len(text.text),
            project_chars=sum(file.injected_chars for file in text.files),
            files=text.files,
            tools=tuple(tools),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowNumbers:
    """The three token numbers that must not be taken for each other (WHY-7).

    `used` is in the window now by `source` (``provider`` or ``estimate``), counted at `counted_at`; `billed_in` and
    `billed_out` were paid for so far; `limit` is the window's size, None where nobody knows it.
    """

    key: SessionKey
    now: Instant
    used: int
    source: str
    counted_at: Instant | None
    billed_in: int
    billed_out: int
    limit: int | None


# --- stored and on the wire -------------------------------------------------------------------------------------------


def format_window_report(report: WindowReport) -> dict[str, object]:
    """The report as plain values. Nothing in it changes from run to run but ``generatedAt``."""
    return {
        "source": report.source,
        "generatedAt": report.at,
        "workspaceDir": report.workspace,
        "bootstrapMaxChars": FILE_LIMIT_CHARS,
        "sandbox": {"mode": report.sandbox},
        "systemPrompt": {
            "chars": report.system_chars,
            "projectContextChars": report.project_chars,
            "nonProjectContextChars": report.system_chars - report.project_chars,
        },
        "injectedWorkspaceFiles": [
            {
                "name": file.name,
                "missing": file.state == "MISSING",
                "truncated": file.state == "TRUNCATED",
                "rawChars": file.raw_chars,
                "injectedChars": file.injected_chars,
            }
            for file in report.files
        ],
        "skills": {"promptChars": 0, "entries": []},
        "tools": {
            "listChars": sum(tool.summary_chars for tool in report.tools),
            "schemaChars": sum(tool.schema_chars for tool in report.tools),
            "entries": [
                {
                    "name": tool.name,
                    "summaryChars": tool.summary_chars,
                    "schemaChars": tool.schema_chars,
                    "propertiesCount": tool.parameters,
                }
                for tool in report.tools
            ],
        },
    }


def parse_window_report(value: object) -> WindowReport | None:
    """The report that a row holds, None where it holds none that can be read."""
    if not isinstance(value, Mapping) or not isinstance(value.get("systemPrompt"), Mapping):
        return None
    prompt = value["systemPrompt"]
    return WindowReport(
        source="run",
        at=Instant(at) if (at := _number(value, "generatedAt")) else None,
        workspace=_word(value, "workspaceDir"),
        sandbox=_word(_part(value, "sandbox"), "mode") or "off",
        system_chars=_number(prompt, "chars"),
        project_chars=_number(prompt, "projectContextChars"),
        files=tuple(_parse_file(one) for one in _rows(value, "injectedWorkspaceFiles")),
        tools=tuple(
            ToolSize(
                name=_word(one, "name"),
                summary_chars=_number(one, "summaryChars"),
                schema_chars=_number(one, "schemaChars"),
                parameters=_number(one, "propertiesCount"),
            )
            for one in _rows(_part(value, "tools"), "entries")
        ),
    )


def build_window_fields(report: WindowReport, numbers: WindowNumbers) -> dict[str, object]:
    """`/context json` (STATUS-12)."""
    return {
        "report": format_window_report(report),
        "session": {
            "totalTokens": numbers.used,
            "totalTokensSource": numbers.source,
            "totalTokensAt": numbers.counted_at,
            "inputTokens": numbers.billed_in,
            "outputTokens": numbers.billed_out,
            "contextTokens": numbers.limit,
        },
    }


def _parse_file(one: Mapping[str, object]) -> InjectedFile:
    state: Literal["OK", "TRUNCATED", "MISSING"] = "TRUNCATED" if one.get("truncated") is True else "OK"
    return InjectedFile(
        name=_word(one, "name"),
        state="MISSING" if one.get("missing") is True else state,
        raw_chars=_number(one, "rawChars"),
        injected_chars=_number(one, "injectedChars"),
    )


def _part(value: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}


def _rows(value: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    rows = value.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _number(value: Mapping[str, object], name: str) -> int:
    number = value.get(name)
    return number if isinstance(number, int) and number >= 0 else 0


def _word(value: Mapping[str, object], name: str) -> str:
    word = value.get(name)
    return word if isinstance(word, str) else ""


# --- told to people ---------------------------------------------------------------------------------------------------


def tell_window(report: WindowReport, numbers: WindowNumbers, *, detail: bool) -> str:
    """The lines of `/context list`, or with `detail` those of `/context detail`."""
    made = "as the last request told it" if report.source == "run" else "an estimate; nothing was asked yet"
    lines = [
        f"Context of {numbers.key} ({made})",
        f"Workspace: {report.workspace or 'unknown'}",
        f"Files: at most {FILE_LIMIT_CHARS} characters of each",
        f"Sandbox: {report.sandbox}",
        f"System prompt: {_size(report.system_chars)}, {report.project_chars} of them from files",
        *(_tell_file(file) for file in report.files),
        "Skills: none",
        *_tell_tools(report.tools),
    ]
    if detail:
        lines += _tell_details(report.tools)
    return "\n".join([*lines, *_tell_numbers(numbers)])


def _tell_file(file: InjectedFile) -> str:
    if file.state == "MISSING":
        return f"- {file.name}: MISSING"
    return f"- {file.name}: {file.state}, {file.injected_chars} of {file.raw_chars} characters"


def _tell_tools(tools: Sequence[ToolSize]) -> list[str]:
    if not tools:
        return ["Tools: none"]
    names = ", ".join(tool.name for tool in tools[:_TOOLS_LISTED])
    more = f" and {len(tools) - _TOOLS_LISTED} more" if len(tools) > _TOOLS_LISTED else ""
    return [
        f"Tools: {names}{more}",
        f"- list: {_size(sum(tool.summary_chars for tool in tools))}",
        f"- schemas: {_size(sum(tool.schema_chars for tool in tools))}",
    ]


def _tell_details(tools: Sequence[ToolSize]) -> list[str]:
    tests: tuple[tuple[str, Callable[[ToolSize], int]], ...] = (
        ("Largest schemas", lambda tool: tool.schema_chars),
        ("Largest descriptions", lambda tool: tool.summary_chars),
    )
    lines = []
    for head, size in tests:
        ranked = sorted(tools, key=lambda tool: (-size(tool), tool.name))
        if ranked:
            lines.append(f"{head}:")
        lines += [
            f"- {tool.name}: {_size(size(tool))}, {tool.parameters} parameter{'' if tool.parameters == 1 else 's'}"
            for tool in ranked[:_DETAILS_LISTED]
        ]
        if len(ranked) > _DETAILS_LISTED:
            lines.append(f"- … and {len(ranked) - _DETAILS_LISTED} more")
    return lines


def _tell_numbers(numbers: WindowNumbers) -> list[str]:
    age = ""
    if numbers.counted_at is not None:
        seconds = max(1, (numbers.now - numbers.counted_at) // 1_000)
        age = f", {format_span(seconds if seconds < 60 else seconds // 60 * 60)} ago"
    limit = "unknown" if numbers.limit is None else f"{format_count(numbers.limit)} tokens"
    return [
        f"In the window now: {format_count(numbers.used)} tokens (by {numbers.source}{age})",
        f"Billed so far: {format_count(numbers.billed_in)} in, {format_count(numbers.billed_out)} out",
        f"The window holds: {limit}",
    ]


def _size(chars: int) -> str:
    return f"{chars} characters (≈ {estimate_chars(chars)} tokens)"
