"""Whom a command asks: the gateway, or for reading the database where no gateway answers (CLI-28)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from instar.cli.options import GatewayFlags
from instar.cli.terminal import warn
from instar.client.blocking import BlockingClient
from instar.client.discovery import GatewayAddress, Named, find_addresses
from instar.client.wire import Payload
from instar.errors import GatewayUnreachable, InvalidRequest, NotFound

__all__ = ["ID_PREFIX_MIN_CHARS", "Source", "address_finder", "find_session", "open_gateway", "open_source"]


ID_PREFIX_MIN_CHARS: Final = 8
"""The shortest beginning of a session id that stands for it (RESOLVE-6)."""


class Source(Protocol):
    """What answers methods of the wire: a gateway, or the database without one."""

    @property
    def is_gateway(self) -> bool:
        """Whether a gateway answers."""
        ...

    def call(self, method: str, params: Mapping[str, object] | None = None) -> Payload:
        """The payload of a method; raises `instar.errors`."""
        ...


def address_finder(flags: GatewayFlags) -> Callable[[], tuple[GatewayAddress, ...]]:
    """Where the gateway may be, looked up anew at each call."""
    named = Named(url=flags.url, token=flags.token, password=flags.password, config=flags.config)
    return lambda: find_addresses(named, env=os.environ, home=Path.home())


@contextmanager
def open_gateway(flags: GatewayFlags) -> Iterator[BlockingClient]:
    """The gateway. Raises `GatewayUnreachable`, which says how to start one."""
    with BlockingClient(address_finder(flags)(), timeout_s=flags.timeout_s) as client:
        yield client


@contextmanager
def open_source(flags: GatewayFlags, *, store: Path | None = None, may_write: bool = False) -> Iterator[Source]:
    """The gateway, or what can be read without one. `store` names a database to read whatever runs; with `may_write`
    rows that nothing running depends on are written without a gateway too.

    Whoever named an address by hand wants that gateway and no other answer.
    """
    if store is None:
        client = BlockingClient(address_finder(flags)(), timeout_s=flags.timeout_s)
        try:
            client.__enter__()
        except GatewayUnreachable as error:
            if flags.url is not None:
                raise
            unreachable = error
        else:
            try:
                yield client
            finally:
                client.close()
            return
        warn(f"{unreachable.what}; {'opening' if may_write else 'reading'} the database instead.")
    from instar.cli.offline import open_offline

    with open_offline(flags, store=store, may_write=may_write) as source:
        yield source


def find_session(source: Source, text: str) -> str:
    """The key of the session that `text` means: a session id or its beginning, a key, a label (RESOLVE-6).

    Raises `NotFound` with a hint to list (CLI-29), `InvalidRequest` with the candidates (CLI-30).
    """
    word = text.strip()
    if not word:
        raise InvalidRequest("No session is named", fix="List the sessions with `instar sessions list`.")
    # A whole name beats a beginning, so that no session hides behind a longer one.
    for name in ("key", "label", "sessionId"):
        if name == "sessionId" and len(word) < ID_PREFIX_MIN_CHARS:
            continue
        ref = {name: word, "includeGlobal": True, "includeUnknown": True, "allowMissing": True}
        found = source.call("sessions.resolve", ref)
        if found.get("ok"):
            return str(found["key"])
    raise NotFound(f"There is no session {word}", fix="List the sessions with `instar sessions list`.")
