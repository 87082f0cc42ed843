"""Tables for people: on the terminal, and between marks in docs/benchmarks.md, where each is renewed by itself."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import apsw

from bench.harness import Row, Sample, Table
from instar.core.model.instant import format_iso
from instar.system.clock import SystemClock

__all__ = ["describe_machine", "format_markdown", "format_sample", "print_table", "write_page"]

HEADS = ("what", "Instar", "against", "", "ratio", "aim", "")
_UNITS = {"us": "µs"}

_BEGIN, _END = "<!-- measured: {name} -->", "<!-- end: {name} -->"


def describe_machine() -> str:
    """One line: when, on what processor, with which Python and SQLite."""
    day = format_iso(SystemClock().now())[:10]
    return (
        f"{day} · {_read_processor()} · {os.cpu_count()} cores · {platform.system()} {platform.release().split('-')[0]}"
        f" · Python {platform.python_version()} · SQLite {apsw.sqlite_lib_version()}"
    )


def _read_processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = re.findall(r"^model name\s*:\s*(.+)$", facts, re.MULTILINE)
    speeds = re.findall(r"^cpu MHz\s*:\s*(\d+)", facts, re.MULTILINE)
    return f"{names[0] if names else platform.machine()}{f' at {int(speeds[0]) / 1000:.1f} GHz' if speeds else ''}"


def format_sample(sample: Sample | None) -> str:
    """The median, with the middle half of the values where there are several."""
    if sample is None:
        return ""
    unit = _UNITS.get(sample.unit, sample.unit)
    text = f"{format_number(sample.median)}{'' if unit == '/s' else ' '}{unit}"
    if len(sample.values) < 2:
        return text
    low, high = sample.spread
    return f"{text} ({format_number(low)}–{format_number(high)})"


def format_number(value: float) -> str:
    """Three figures that count, whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells_of(row: Row) -> tuple[str, ...]:
    """A row as texts, in the order of `HEADS`."""
    if row.skipped:
        return (row.name, f"not measured: {row.skipped}", "", "", "", row.aim.text if row.aim else "", "")
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}×"
    theirs = format_sample(row.theirs)
    name = f"{row.name} ({row.note})" if row.note else row.name
    return (name, format_sample(row.ours), row.against, theirs, ratio, row.aim.text if row.aim else "", row.verdict)


def print_table(table: Table, *, took_s: float) -> None:
    """The table on the terminal."""
    lines = [HEADS, *map(cells_of, table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    print(f"\n{table.title}  ({took_s:.0f} s)")
    for line in lines:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def format_markdown(table: Table, machine: str) -> str:
    """The table for the page, with how it was measured."""
    lines = [HEADS, ("---",) * len(HEADS), *map(cells_of, table.rows)]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{table.text.strip()}\n\n{drawn}\n\n{machine}\n"


def write_page(page: Path, tables: Mapping[str, Table], machine: str) -> None:
    """Renew the tables that were measured; the rest of the page stays as it is."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = renew(text, name, format_markdown(table, machine))
    page.write_text(text, encoding="utf-8")


def renew(text: str, name: str, part: str) -> str:
    """`text` with `part` between the marks of `name`; at its end where there are none."""
    begin, end = _BEGIN.format(name=name), _END.format(name=name)
    fresh = f"{begin}\n{part}{end}"
    if begin not in text:
        return f"{text.rstrip()}\n\n{fresh}\n"
    head, _, rest = text.partition(begin)
    return f"{head}{fresh}{rest.partition(end)[2]}"
