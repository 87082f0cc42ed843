"""`instar import transcript`: one file of version 1, 2 or 3, through the gateway or straight into the store (STORE-6).

Without a gateway the store is opened as a gateway would open it: it is locked, so that none can start meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Final

import click

from instar.cli.connect import address_finder
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say, warn
from instar.client.blocking import BlockingClient
from instar.client.wire import Payload
from instar.core.explain.counting import count_of
from instar.errors import GatewayUnreachable, InvalidRequest, TranscriptError

__all__ = ["command"]

SENT_MAX_BYTES: Final = 18 * 1024 * 1024
"""What fits into a frame of 25 MiB once it is written as text (GW-7)."""

PACK_LEVEL: Final = 6


@click.command("transcript")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--session", metavar="KEY", help="The session it becomes, or whose history it joins.  [default: its own]")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, file: Path, session: str | None, as_json: bool) -> None:
    """Import a transcript (JSON lines, as they are or packed with zstd). Importing it twice adds nothing."""
    try:
        done = _send(flags, file, session)
    except GatewayUnreachable:
        if flags.url is not None:
            raise
        done = asyncio.run(_store(flags, file, session))
    if as_json:
        print_json(done)
    else:
        _tell(done, file)


def _send(flags: GatewayFlags, file: Path, session: str | None) -> Payload:
    """Import through the gateway."""
    with BlockingClient(address_finder(flags)(), timeout_s=max(flags.timeout_s, 60.0)) as gateway:
        name, data = _pack(file)
        params = {"name": name, "content": base64.b64encode(data).decode()}
        try:
            return gateway.call("sessions.import", params | ({"key": session} if session else {}))
        except InvalidRequest as error:
            # The gateway knows the file by the name under which it was packed; the person does not.
            raise InvalidRequest(error.what.replace(name, str(file)), field=error.field) from None


def _pack(file: Path) -> tuple[str, bytes]:
    """The file's name and its bytes, packed. Raises `TranscriptError`, `InvalidRequest`."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise TranscriptError(
            f"{file} cannot be read", why=error.strerror or str(error), fix="Check the path and who may read it."
        ) from None
    if file.suffix == ".zst":
        name = file.name
    else:
        import zstandard

        name, data = f"{file.name}.zst", zstandard.ZstdCompressor(level=PACK_LEVEL).compress(data)
    if len(data) > SENT_MAX_BYTES:
        raise InvalidRequest(
            f"{file} is too large to be sent to the gateway",
            why=f"it has {len(data)} bytes when packed, and {SENT_MAX_BYTES} may be sent",
            fix="Stop the gateway and import again: the file is then read in place.",
        )
    return name[-200:], data


async def _store(flags: GatewayFlags, file: Path, session: str | None) -> Payload:
    """Import into the store itself. Raises `StoreLocked` when a gateway has it after all."""
    from instar.api.handlers.records import build_import_result
    from instar.config.load import load_config
    from instar.core.routing.key import canonical_key, parse_key
    from instar.stores.intake import TranscriptIntake
    from instar.stores.sealing.open import load_seals
    from instar.stores.sqlite import SqliteStore
    from instar.system.bare import read_now

    config = load_config(flags.config, env=os.environ, home=Path.home(), thorough=False).config
    if config.store.path is None:
        raise GatewayUnreachable(
            "The sessions are in PostgreSQL", why="only a gateway writes it", fix="Start one with `instar gateway`."
        )
    default = config.agents.default_id
    key = canonical_key(session, config.routing.keys, default_agent=default) if session else None
    agent_id = (parse_key(key).agent_id if key else None) or default
    store = SqliteStore(config.store.path, seals=load_seals(config))
    await store.open()
    try:
        done = await TranscriptIntake(store).take_file(file, key=key, agent_id=agent_id, now=read_now())
    finally:
        await store.close()
    return build_import_result(done)


def _tell(done: Payload, file: Path) -> None:
    for finding in done["findings"]:
        warn(f"{file}: {clean(str(finding))}")
    if done["stored"]:
        entries = count_of(done["entries"], "entry", "entries")
        say(f"Imported {entries} of version {done['fromVersion']} as {done['key']}.")
    else:
        say(f"Nothing was added: {done['sessionId']} is stored already.")
    say(f"Show it with `instar sessions show {done['key']}`.")
