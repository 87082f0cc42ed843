"""`instar mirror rebuild`: every file of the mirror as the database says (STORE-5)."""

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

__all__ = ["command"]


@click.command("rebuild")
@json_option
@config_option
def command(*, as_json: bool, config: Path | None) -> None:
    """Write `sessions.json` and the transcripts anew where they differ from the database, while no gateway runs.

    The database is what counts. A file that another hand changed is kept beside as `<name>.conflict.<time>`.
    """
    from instar.cli.offline import log_to_file
    from instar.config.load import load_config
    from instar.errors import NotFound

    loaded = load_config(config, env=os.environ, home=Path.home(), thorough=False)
    path = loaded.config.store.path
    if path is None or not path.is_file():
        raise NotFound(f"There is no database {path}", fix="Start the gateway with `instar gateway`: it makes one.")
    with log_to_file(loaded.config):
        count = asyncio.run(_rebuild(path, loaded.config))
    if as_json:
        print_json({"ok": True, "transcripts": count})
        return
    say(f"The mirror is as the database says: {count} {'transcript' if count == 1 else 'transcripts'}.")


async def _rebuild(path: Path, config: Config) -> int:
    from instar.errors import NotFound
    from instar.stores.mirror import Mirror, open_mirror
    from instar.stores.sealing.open import load_seals
    from instar.stores.sqlite import SqliteStore
    from instar.system.clock import SystemClock

    store = SqliteStore(path, seals=load_seals(config))
    await store.open()
    try:
        async with open_mirror(store, config, clock=SystemClock()) as mirror:
            if not isinstance(mirror, Mirror):
                raise NotFound(
                    "There is no mirror to write",
                    why="session.mirror is false, or words are encrypted",
                    fix="Set session.mirror to true. Encrypted sessions have no mirror.",
                )
            return await mirror.rebuild()
    finally:
        await store.close()
