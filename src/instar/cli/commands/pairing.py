"""`instar pairing`: who waits at the door, who was let in, and the owner's word about them (LEAK-2)."""

from __future__ import annotations

from typing import Final

import click

from instar.cli.connect import open_gateway, open_source
from instar.cli.groups import Group
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour, warn
from instar.client.wire import Payload

__all__ = ["command"]

WAITING_HEADS: Final = ("Code", "Channel", "Who", "Name", "Expires")
APPROVED_HEADS: Final = ("Channel", "Account", "Who", "Name", "Approved", "By")


@click.group("pairing", cls=Group)
def command() -> None:
    """People and groups who wait for your word, and those you let in."""


@command.command("list")
@json_option
@gateway_options
def list_pairings(*, flags: GatewayFlags, as_json: bool) -> None:
    """List the codes that wait and everybody who was approved."""
    with open_source(flags) as source:
        found = source.call("pairing.list")
    if as_json:
        print_json(dict(found))
        return
    waiting, approved = found["waiting"], found["approved"]
    if waiting:
        say(render_table(WAITING_HEADS, [_waiting(row) for row in waiting], colour=shows_colour()))
        say("Let somebody in with `instar pairing approve CODE`.")
    else:
        say("Nobody waits.")
    if approved:
        say(render_table(APPROVED_HEADS, [_approved(row) for row in approved], colour=shows_colour()))
    else:
        say("Nobody was approved yet; whom `allowFrom` names needs no approval.")


@command.command("approve")
@click.argument("code")
@json_option
@gateway_options
def approve(*, flags: GatewayFlags, code: str, as_json: bool) -> None:
    """Let in whoever was told this code."""
    with open_gateway(flags) as gateway:
        done = gateway.call("pairing.approve", {"code": code})
    if as_json:
        print_json(dict(done))
        return
    say(f"{_name(done)} may write now{', and is told so' if done['told'] else ''}.")
    for warning in done["warnings"]:
        warn(clean(str(warning)))


@command.command("reject")
@click.argument("code")
@json_option
@gateway_options
def reject(*, flags: GatewayFlags, code: str, as_json: bool) -> None:
    """Take a code out of the list; nobody is told."""
    with open_gateway(flags) as gateway:
        done = gateway.call("pairing.reject", {"code": code})
    if as_json:
        print_json(dict(done))
    else:
        say(f"The code of {_name(done)} is gone. Whoever writes again gets a new one.")


@command.command("revoke")
@click.argument("who")
@click.option("--channel", metavar="NAME", help="On this channel, where the id was approved on several.")
@click.option("--account", metavar="NAME", help="On this account of the channel.")
@json_option
@gateway_options
def revoke(*, flags: GatewayFlags, who: str, channel: str | None, account: str | None, as_json: bool) -> None:
    """Shut out a person or group again; WHO is the id that the list shows."""
    params = {"peerId": who, "channel": channel, "accountId": account}
    with open_gateway(flags) as gateway:
        done = gateway.call("pairing.revoke", {name: value for name, value in params.items() if value})
    if as_json:
        print_json(dict(done))
    else:
        say(f"{_name(done)} may not write any more.")


def _waiting(row: Payload) -> list[str]:
    return _clean(row["code"], row["channel"], _id(row), row["name"] or "-", format_moment(row["expiresAt"]))


def _approved(row: Payload) -> list[str]:
    by, account = row["approvedBy"], row["accountId"]
    return _clean(row["channel"], account, _id(row), row["name"] or "-", format_moment(row["approvedAt"]), by)


def _id(row: Payload) -> str:
    return f"{'group ' if row['chatType'] == 'group' else ''}{row['peerId']}"


def _name(row: Payload) -> str:
    """Who is meant, in a sentence."""
    named = f" ({row['name']})" if row["name"] else ""
    kind = "The group " if row["chatType"] == "group" else ""
    return clean(f"{kind}{row['channel']}:{row['peerId']}{named}")


def _clean(*values: object) -> list[str]:
    return [clean(str(value)) for value in values]
