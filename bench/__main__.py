"""`python -m bench`: measure every table, print it, and write docs/benchmarks.md.

    python -m bench                   all tables; the page is written
    python -m bench --only store      one table, or several; the page keeps its other tables
    python -m bench --quick           a tenth as long; the page is left alone

Each table runs in a process of its own, so that none inherits the memory or the imports of another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.harness import Options, Table, measure_table
from bench.page import describe_machine, print_table, write_page

NAMES = ("store", "turn", "socket_turns", "operations", "start", "decisions", "cli", "context", "peers", "openclaw")

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def measure_apart(name: str, options: Options) -> Table | BaseException:
    """One table, measured in a process of its own; what stopped it, where something did."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        future = pool.submit(measure_table, name, options)
        return future.exception() or future.result()


def find_data() -> Path | None:
    """Real input: where ``INSTAR_DATA`` says, else ``./data``; None where neither is there."""
    folder = Path(os.environ.get("INSTAR_DATA") or ROOT / "data")
    return folder if folder.is_dir() else None


def main() -> int:
    """Measure what was asked for; the exit code tells only whether it could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="a tenth as long, and the page is left alone")
    parser.add_argument("--folder", type=Path, help="where stores are made; the disk there is what is measured")
    given = parser.parse_args()
    machine = describe_machine()
    print(machine)
    tables: dict[str, Table] = {}
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="instar-bench-", dir=given.folder) as folder:
        options = Options(folder=Path(folder), quick=given.quick, data=find_data())
        for name in given.only or NAMES:
            started = time.monotonic()
            found = measure_apart(name, options)
            if isinstance(found, BaseException):
                failed.append(name)
                traceback.print_exception(found)
                continue
            tables[name] = found
            print_table(found, took_s=time.monotonic() - started)
    if not given.quick:
        write_page(PAGE, tables, machine)
        print(f"\nWritten to {PAGE.relative_to(ROOT)}.")
    return print_outcome(tables, failed)


def print_outcome(tables: Mapping[str, Table], failed: Sequence[str]) -> int:
    """How many aims are met and which are missed; 1 if a table could not be measured, else 0: aims are not asserted."""
    rows = [row for table in tables.values() for row in table.rows]
    missed = [row.name for row in rows if row.verdict == "missed"]
    print(f"\n{sum(row.verdict == 'met' for row in rows)} aims met, {len(missed)} missed", *missed, sep="\n  missed: ")
    if failed:
        print(f"Could not be measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
