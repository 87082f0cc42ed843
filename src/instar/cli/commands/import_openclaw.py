"""`instar import openclaw DIR`: a whole state directory, looked at first, carried over on `--yes` (STORE-6)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from instar.cli.options import config_option, json_option
from instar.cli.terminal import clean, print_json, say

if TYPE_CHECKING:
    from instar.config.config import Config
    from instar.stores.openclaw.report import StateReport

__all__ = ["command"]

_QUIET = frozenset({"imported", "would-import", "copied", "would-copy", "known"})


@click.command("openclaw")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be imported (the default without --yes).")
@click.option("--yes", "-y", is_flag=True, help="Import.")
@click.option("--verbose", is_flag=True, help="A line for every item, not only for those that want a look.")
@json_option
@config_option
def command(*, directory: Path, dry_run: bool, yes: bool, verbose: bool, as_json: bool, config: Path | None) -> None:
    """Import sessions, transcripts, memory files and allow-lists of an OpenClaw, Clawdbot or Moltbot state DIRECTORY.

    A configuration is proposed beside yours; what has no place here yet is kept byte for byte. Nothing in DIRECTORY is
    changed, and importing twice adds nothing. The gateway must not run meanwhile.
    """
    from instar.config.load import load_config

    loaded = load_config(config, env=os.environ, home=Path.home(), thorough=False)
    report = asyncio.run(_run(directory.expanduser(), loaded.config, is_dry_run=dry_run or not yes))
    if as_json:
        items = [asdict(item) for item in report.items]
        found = {"root": report.root, "dryRun": report.is_dry_run, "counts": report.counts(), "items": items}
        print_json({"ok": True, **found})
    else:
        _tell(report, is_verbose=verbose)


async def _run(directory: Path, config: Config, *, is_dry_run: bool) -> StateReport:
    from instar.errors import NotFound
    from instar.stores.openclaw.carry import import_state
    from instar.stores.sealing.open import load_seals
    from instar.stores.sqlite import SqliteStore
    from instar.stores.sqlite.reading import ReadingEngine
    from instar.stores.store import SessionStore
    from instar.system.clock import SystemClock

    path = config.store.path
    if path is None:
        raise NotFound("Sessions are kept in PostgreSQL", why="this build imports into SQLite only")
    now = SystemClock().now()
    if is_dry_run and not path.is_file():
        return await import_state(directory, None, config, now=now, is_dry_run=True)
    seals = load_seals(config)
    store: SessionStore = (
        SessionStore(ReadingEngine(path, seals=seals)) if is_dry_run else SqliteStore(path, seals=seals)
    )
    await store.open()
    try:
        return await import_state(directory, store, config, now=now, is_dry_run=is_dry_run)
    finally:
        await store.close()


def _tell(report: StateReport, *, is_verbose: bool) -> None:
    for item in report.items:
        if not is_verbose and item.status in _QUIET:
            continue
        place = f"{item.source}:{item.line}" if item.line else item.source
        key = f" [{item.key}]" if item.key else ""
        say(clean(f"{item.status:>12}  {place}{key}  {item.detail}".rstrip()))
    for name, count in sorted(report.counts().items()):
        say(f"{count:6}  {name}")
    if report.is_dry_run:
        say("Nothing was changed. Import it with --yes.")
