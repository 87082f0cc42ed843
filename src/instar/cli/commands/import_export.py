"""`instar import export DIR`: a store made of an export, into an empty state only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from instar.cli.options import config_option, json_option
from instar.cli.terminal import print_json, say

if TYPE_CHECKING:
    from instar.config.config import Config
    from instar.stores.transfer import TransferReport

__all__ = ["command"]


@click.command("export")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
@config_option
def command(*, directory: Path, as_json: bool, config: Path | None) -> None:
    """Make a store of what `instar export all --raw` wrote into DIRECTORY. The store must be empty."""
    from instar.config.load import load_config

    loaded = load_config(config, env=os.environ, home=Path.home(), thorough=False)
    report = asyncio.run(_run(directory, loaded.config))
    if as_json:
        print_json({"ok": True, "counts": dict(report.counts)})
        return
    for name, count in report.counts.items():
        say(f"{count:8}  {name}")


async def _run(directory: Path, config: Config) -> TransferReport:
    from instar.errors import NotFound
    from instar.stores.sealing.open import load_seals
    from instar.stores.sqlite import SqliteStore
    from instar.stores.transfer_import import import_store

    if config.store.path is None:
        raise NotFound("Sessions are kept in PostgreSQL", why="this build imports into SQLite only")
    store = SqliteStore(config.store.path, seals=load_seals(config))
    await store.open()
    try:
        return await import_store(directory, store)
    finally:
        await store.close()
