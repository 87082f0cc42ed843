"""`instar sessions patch`: set what holds for one session (PATCH-1…16)."""

from __future__ import annotations

import json
from typing import Final

import click

from instar.cli.connect import find_session, open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say
from instar.client.wire import Payload
from instar.errors import InvalidRequest, NotFound

__all__ = ["command", "read_field"]

_STAMPS: Final = {"archived": "archivedAt", "pinned": "pinnedAt", "unread": "markedUnreadAt"}
"""Fields that the gateway keeps as a time (PATCH-14)."""


@click.command("patch")
@click.argument("session")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, session: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Set fields of a session, like thinkingLevel=high; `model=null` takes one away. One bad field refuses all."""
    patch = dict(read_field(word) for word in fields)
    with open_gateway(flags) as gateway:
        try:
            key = find_session(gateway, session)
        except NotFound:
            if ":" not in session:
                raise
            # A key without a session gets one (PATCH-3).
            key = session
        done = gateway.call("sessions.patch", {"key": key, **patch})
    if as_json:
        print_json(done)
        return
    entry = done["entry"]
    for name in patch:
        say(f"{clean(name)}: {clean(_show(entry, name))}")


def _show(entry: Payload, name: str) -> str:
    """What the entry holds of a field now. `model` in an entry is the one that answered last, not the one chosen."""
    if name == "model":
        chosen = entry.get("modelOverride")
        return f"{entry.get('providerOverride')}/{chosen}" if chosen else "the default"
    value = entry.get("groupActivation" if name == "activationMode" else name)
    if name in _STAMPS:
        return "no" if entry.get(_STAMPS[name]) is None else "yes"
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def read_field(word: str) -> tuple[str, object]:
    """``name=value``: true, false, null and whole numbers are what they say, everything else is text."""
    name, mark, value = word.partition("=")
    if not mark or not name:
        raise InvalidRequest(f"“{word}” sets nothing", fix="Write FIELD=VALUE, like thinkingLevel=high.")
    if value in {"true", "false", "null"} or value.lstrip("-").isdecimal():
        return name, json.loads(value)
    return name, value
