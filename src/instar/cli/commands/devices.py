"""`instar devices`: programs on other machines that wait for the owner's word, and those that were let in (LEAK-3)."""

from __future__ import annotations

from typing import Final

import click

from instar.cli.connect import open_gateway, open_source
from instar.cli.groups import Group
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour
from instar.client.wire import Payload

__all__ = ["command"]

WAITING_HEADS: Final = ("Request", "Device", "Name", "From", "Asks for", "Expires")
APPROVED_HEADS: Final = ("Device", "Name", "Platform", "Scopes", "Approved", "By")

_ID_CHARS: Final = 12


@click.group("devices", cls=Group)
def command() -> None:
    """Programs on other machines that sign with a key of their own."""


@command.command("list")
@json_option
@gateway_options
def list_devices(*, flags: GatewayFlags, as_json: bool) -> None:
    """List the devices that wait and those that were approved."""
    with open_source(flags) as source:
        found = source.call("device.pair.list")
    if as_json:
        print_json(dict(found))
        return
    pending, paired = found["pending"], found["paired"]
    if pending:
        say(render_table(WAITING_HEADS, [_waiting(row) for row in pending], colour=shows_colour()))
        say("Let one in with `instar devices approve REQUEST`.")
    else:
        say("No device waits.")
    if paired:
        say(render_table(APPROVED_HEADS, [_approved(row) for row in paired], colour=shows_colour()))
    else:
        say("No device was approved yet.")


@command.command("approve")
@click.argument("request_id", metavar="REQUEST")
@click.option("--scopes", metavar="SCOPES", help="Instead of what it asks for: read, write, admin, joined by commas.")
@json_option
@gateway_options
def approve(*, flags: GatewayFlags, request_id: str, scopes: str | None, as_json: bool) -> None:
    """Let a device in; it gets a token of its own when it connects again."""
    params: dict[str, object] = {"requestId": request_id}
    if scopes is not None:
        params["scopes"] = [word.strip() for word in scopes.split(",") if word.strip()]
    with open_gateway(flags) as gateway:
        done = gateway.call("device.pair.approve", params)
    if as_json:
        print_json(dict(done))
        return
    device = done["device"]
    say(f"Device {_id(device)} may connect now, with {_scopes(device)}.")


@command.command("reject")
@click.argument("request_id", metavar="REQUEST")
@json_option
@gateway_options
def reject(*, flags: GatewayFlags, request_id: str, as_json: bool) -> None:
    """Take a request out of the list; the device may ask again."""
    with open_gateway(flags) as gateway:
        done = gateway.call("device.pair.reject", {"requestId": request_id})
    if as_json:
        print_json(dict(done))
    else:
        say(f"The request of device {_id(done)} is gone.")


@command.command("revoke")
@click.argument("device_id", metavar="DEVICE")
@json_option
@gateway_options
def revoke(*, flags: GatewayFlags, device_id: str, as_json: bool) -> None:
    """Shut a device out: its token ends and its connections are closed."""
    with open_gateway(flags) as gateway:
        done = gateway.call("device.pair.remove", {"deviceId": device_id})
    if as_json:
        print_json(dict(done))
    else:
        say(f"Device {_id(done)} is shut out.")


def _waiting(row: Payload) -> list[str]:
    name = row.get("displayName") or row.get("clientId") or "-"
    until = format_moment(row["expiresAtMs"])
    return _clean(row["requestId"], _id(row), name, row.get("remoteIp") or "-", _scopes(row), until)


def _approved(row: Payload) -> list[str]:
    name, platform = row.get("displayName") or row.get("clientId") or "-", row.get("platform") or "-"
    return _clean(_id(row), name, platform, _scopes(row), format_moment(row["approvedAtMs"]), row["approvedBy"])


def _id(row: Payload) -> str:
    return clean(str(row["deviceId"])[:_ID_CHARS])


def _scopes(row: Payload) -> str:
    return clean(", ".join(str(scope).removeprefix("operator.") for scope in row["scopes"]) or "nothing")


def _clean(*values: object) -> list[str]:
    return [clean(str(value)) for value in values]
