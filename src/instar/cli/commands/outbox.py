"""`instar outbox`: replies that failed or may not have arrived; send one again, or let it go (LOSS-5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from instar.cli.connect import open_gateway, open_source
from instar.cli.groups import Group
from instar.cli.options import GatewayFlags, Whole, gateway_options, json_option
from instar.cli.render import render_table
from instar.cli.terminal import clean, print_json, say, shows_colour, warn
from instar.client.wire import Payload
from instar.errors import InstarError

__all__ = ["command"]

HEADS: Final = ("Id", "State", "Channel", "To", "Tries", "Reason", "Text")

_STATES: Final = ("unknown", "failed", "pending", "sending", "sent", "suppressed", "dropped", "all")
_TEXT_CHARS: Final = 60


@click.group("outbox", cls=Group)
def command() -> None:
    """Replies that failed, or of which nobody knows whether they arrived."""


@command.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only this state; by default unknown and failed.")
@click.option("--key", metavar="KEY", help="Only replies of this session.")
@click.option("--limit", type=Whole(1, 1000), metavar="N", default=100, show_default=True, help="At most so many.")
@json_option
@gateway_options
def list_deliveries(*, flags: GatewayFlags, state: str | None, key: str | None, limit: int, as_json: bool) -> None:
    """List replies, the newest first."""
    params: dict[str, object] = {"limit": limit}
    params |= {name: value for name, value in (("state", state), ("key", key)) if value}
    with open_source(flags) as source:
        rows = source.call("outbox.list", params)["deliveries"]
    if as_json:
        print_json({"count": len(rows), "deliveries": list(rows)})
    elif rows:
        say(render_table(HEADS, [_columns(row) for row in rows], colour=shows_colour()))
    else:
        say("No replies are in doubt." if state is None else f"No replies are {state}.")


def _columns(row: Payload) -> list[str]:
    text = " ".join(str(row["text"]).split())
    shown = text if len(text) <= _TEXT_CHARS else f"{text[: _TEXT_CHARS - 1]}…"
    values = (row["deliveryId"], row["state"], row["channel"], row["to"], row["tries"], row["reason"] or "-", shown)
    return [clean(str(value)) for value in values]


@command.command("send")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
@gateway_options
def send(*, flags: GatewayFlags, ids: tuple[str, ...], as_json: bool) -> int:
    """Send replies again; a person may get one of them twice."""
    return _settle(flags, "outbox.send", ids, done="will be sent", as_json=as_json)


@command.command("drop")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
@gateway_options
def drop(*, flags: GatewayFlags, ids: tuple[str, ...], as_json: bool) -> int:
    """Let replies go; they stay in the transcript."""
    return _settle(flags, "outbox.drop", ids, done="was dropped", as_json=as_json)


def _settle(flags: GatewayFlags, method: str, ids: Sequence[str], *, done: str, as_json: bool) -> int:
    """One request for each reply; one that is refused does not hold up the others."""
    results: list[dict[str, object]] = []
    with open_gateway(flags) as gateway:
        for delivery_id in ids:
            try:
                results.append(dict(gateway.call(method, {"deliveryId": delivery_id})))
            except InstarError as error:
                results.append({"ok": False, "deliveryId": delivery_id, "error": str(error)})
    is_good = all(one["ok"] for one in results)
    if as_json:
        print_json({"ok": is_good, "results": results})
        return 0 if is_good else 1
    for one in results:
        name = clean(str(one["deliveryId"]))
        say(f"{name} {done} (it was {one['was']}).") if one["ok"] else warn(f"{name}: {one['error']}")
    return 0 if is_good else 1
