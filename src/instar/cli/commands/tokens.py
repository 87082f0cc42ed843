"""`instar tokens`: credentials for people and programs, each with what it may, and a way to take it back (LEAK-3)."""

from __future__ import annotations

from typing import Final

import click

from instar.cli.connect import open_source
from instar.cli.groups import Group
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.render import format_moment, render_table
from instar.cli.terminal import clean, print_json, say, shows_colour, warn
from instar.client.wire import Payload
from instar.core.model.quantity import parse_duration_ms

__all__ = ["command"]

HEADS: Final = ("Id", "State", "Person", "Scopes", "Label", "Last used", "Expires")


@click.group("tokens", cls=Group)
def command() -> None:
    """Credentials beside the gateway's own secret: who may do what, until when."""


@command.command("create")
@click.option("--principal", metavar="NAME", help="The person it belongs to: a linked identity or <channel>:<id>.")
@click.option("--scopes", metavar="LIST", default="read,write", show_default=True, help="read, write, admin.")
@click.option("--expires", metavar="TIME", help="For how long, like 30d or 12h. Without it: until it is revoked.")
@click.option("--label", metavar="TEXT", help="What it is for.")
@json_option
@gateway_options
def create(
    *,
    flags: GatewayFlags,
    principal: str | None,
    scopes: str,
    expires: str | None,
    label: str | None,
    as_json: bool,
) -> None:
    """Make a token and show it, this once: it is stored nowhere."""
    params: dict[str, object] = {"scopes": [word for word in scopes.replace(",", " ").split() if word]}
    params |= {name: value for name, value in (("principal", principal), ("label", label)) if value is not None}
    if expires is not None:
        lifetime_ms = parse_duration_ms(expires, bare_unit="d")
        if not lifetime_ms:
            raise click.BadParameter(f"{expires!r} is no time; write 30d, 12h or 90m.", param_hint="--expires")
        params["expiresInMs"] = lifetime_ms
    with open_source(flags, may_write=True) as source:
        made = source.call("tokens.create", params)
    if as_json:
        print_json(dict(made))
        return
    say(str(made["token"]))
    who = f"sees what is {clean(str(made['principal']))}'s" if made["principal"] else "sees every session"
    until = f"until {format_moment(made['expiresAt'])}" if made["expiresAt"] else "until it is revoked"
    warn(f"Token {made['id']} {who}, may {_scopes(made)}, {until}. It is shown this once.")


@command.command("list")
@json_option
@gateway_options
def list_tokens(*, flags: GatewayFlags, as_json: bool) -> None:
    """List every token, revoked and expired ones too, the newest first."""
    with open_source(flags) as source:
        rows = source.call("tokens.list")["tokens"]
    if as_json:
        print_json({"count": len(rows), "tokens": list(rows)})
    elif rows:
        say(render_table(HEADS, [_columns(row) for row in rows], colour=shows_colour()))
    else:
        say("There are no tokens; whoever comes in has the gateway's own secret.")


@command.command("revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@json_option
@gateway_options
def revoke(*, flags: GatewayFlags, ids: tuple[str, ...], as_json: bool) -> None:
    """End tokens for good, and close the connections that came in by them."""
    done = []
    with open_source(flags, may_write=True) as source:
        for token_id in ids:
            done.append(dict(source.call("tokens.revoke", {"id": token_id})))
            if not as_json:
                say(f"Token {clean(token_id)} opens nothing any more.")
    if as_json:
        print_json({"ok": True, "tokens": done})


def _columns(row: Payload) -> list[str]:
    values = (
        row["id"],
        row["state"],
        row["principal"] or "-",
        _scopes(row),
        row["label"] or "-",
        format_moment(row["lastUsedAt"]) if row["lastUsedAt"] else "never",
        format_moment(row["expiresAt"]) if row["expiresAt"] else "-",
    )
    return [clean(str(value)) for value in values]


def _scopes(row: Payload) -> str:
    return ", ".join(str(scope).removeprefix("operator.") for scope in row["scopes"])
