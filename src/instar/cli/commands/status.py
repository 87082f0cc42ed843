"""`instar status`: whether a gateway runs, where everything lies, and which sessions were used last (CLI-11)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from instar.cli.commands.sessions_list import HEADS
from instar.cli.connect import Source, open_source
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment, format_span, list_columns, render_facts, render_table
from instar.cli.terminal import clean, paint, print_json, say, shows_colour
from instar.client.blocking import BlockingClient
from instar.client.discovery import RUNNING_NAME, is_this_machine
from instar.client.wire import Payload
from instar.config.paths import resolve_state_dir
from instar.core.explain.counting import count_of
from instar.errors import InstarError

__all__ = ["command", "list_facts"]


@click.command("status")
@click.option("--deep", is_flag=True, help="Also what was spent, and the health of each part.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, deep: bool, as_json: bool) -> None:
    """Show how the gateway is doing. Without one: what its database says."""
    with open_source(flags) as source:
        found = load(source, is_deep=deep)
    if as_json:
        print_json(found)
        return
    colour = shows_colour()
    say(render_facts(list_facts(found), colour=colour))
    sessions = found.get("sessions") or {}
    rows, defaults = sessions.get("recent") or [], sessions.get("defaults") or {}
    if rows:
        say(f"\n{paint('Last used', 'bold', on=colour)}")
        say(render_table(HEADS, [list_columns(row, defaults=defaults, now=found["ts"]) for row in rows], colour=colour))


def load(source: Source, *, is_deep: bool) -> dict[str, Any]:  # Any: JSON
    """The status with whether and where a gateway answers."""
    found: dict[str, Any] = dict(source.call("status"))
    found["running"] = source.is_gateway
    if isinstance(source, BlockingClient):
        found["url"], found["pid"] = source.address.url, source.address.pid
        found["secretFrom"] = source.address.origin
    found["door"] = _load_door(source)
    if is_deep:
        found["usage"] = source.call("sessions.usage")
        found["health"] = source.call("health") if source.is_gateway else None
    return found


def _load_door(source: Source) -> dict[str, int] | None:
    """How many strangers and devices wait for the owner's word; None for whoever may not know."""
    try:
        codes, devices = source.call("pairing.list")["waiting"], source.call("device.pair.list")["pending"]
    except InstarError:
        # A person's token may not ask, and an older gateway does not know: the status is told all the same.
        return None
    return {"codes": len(codes), "devices": len(devices)}


def _secret_place(found: Payload) -> str:
    """Where the secret of a gateway of this machine is kept; never the secret itself."""
    if not found["running"] or not is_this_machine(str(found.get("url"))):
        return ""
    return str(resolve_state_dir(os.environ, home=Path.home()) / RUNNING_NAME)


def list_facts(found: Payload) -> Iterator[tuple[str, str]]:
    """The status, name by name."""
    gateway = found.get("gateway") or {}
    if found["running"]:
        process = f" (process {found['pid']})" if found.get("pid") else ""
        yield "Gateway", f"Instar {found.get('runtimeVersion')} answers at {found.get('url')}{process}"
        yield "Up", f"{format_span(gateway.get('uptimeMs') or 0)}, since {format_moment(gateway.get('startedAt'))}"
        if "activeRuns" not in gateway:
            # A person's token hears of their own sessions only.
            yield "Sessions", str((found.get("sessions") or {}).get("count", 0))
            return
        yield (
            "Work",
            (
                f"{gateway.get('activeRuns', 0)} running, "
                f"{count_of(gateway.get('messagesWaiting', 0), 'message')} waiting, "
                f"{count_of(gateway.get('deliveriesWaiting', 0), 'reply', 'replies')} waiting"
            ),
        )
    else:
        yield "Gateway", "none runs; start it with `instar gateway`"
    yield "State", str(gateway.get("stateDir") or "")
    yield "Configuration", str(gateway.get("configPath") or "none, every setting has its default")
    sessions = found.get("sessions") or {}
    yield "Session store", ", ".join(str(path) for path in sessions.get("paths") or ())
    yield "Sessions", str(sessions.get("count", 0))
    yield "Agents", ", ".join(clean(str(agent)) for agent in found.get("agents") or ())
    for channel in found.get("channels") or ():
        state = "runs" if channel.get("running") else f"does not run: {channel.get('error') or 'no gateway'}"
        yield f"Channel {clean(str(channel.get('name')))}", f"{channel.get('type')}, {clean(state)}"
    door = found.get("door") or {}
    if door.get("codes"):
        yield "At the door", f"{door['codes']} with a pairing code; see them with `instar pairing list`"
    if door.get("devices"):
        yield "Devices", f"{door['devices']} waiting; see them with `instar devices list`"
    yield "Secret", _secret_place(found)
    spent = (found.get("usage") or {}).get("totals") or {}
    if spent:
        cost = "" if spent.get("totalCost") is None else f", ${spent['totalCost']:.4f}"
        yield "Spent", f"{spent.get('calls', 0)} calls, {spent.get('input', 0)} in, {spent.get('output', 0)} out{cost}"
