"""`instar sessions restore`: a deleted session back from its archives (LOSS-8)."""

from __future__ import annotations

from pathlib import Path

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, gateway_options, json_option
from instar.cli.terminal import clean, print_json, say, warn
from instar.core.explain.counting import count_of

__all__ = ["command"]


@click.command("restore")
@click.argument("what", metavar="KEY|FILE")
@click.option("--key", metavar="KEY", help="Under which key, where an archive FILE does not tell it.")
@json_option
@gateway_options
def command(*, flags: GatewayFlags, what: str, key: str | None, as_json: bool) -> None:
    """Bring a deleted session back: every archive of a KEY, or one archive FILE of the state directory."""
    is_file = what.endswith((".zst", ".jsonl")) or Path(what).is_file() or "/" in what
    params: dict[str, object] = {"path": str(Path(what).expanduser().absolute())} if is_file else {"key": what}
    params |= {"key": key} if key else {}
    with open_gateway(flags) as gateway:
        done = gateway.call("sessions.restore", params)
    if as_json:
        print_json(dict(done))
        return
    for finding in done["findings"]:
        warn(clean(str(finding)))
    if done["sessionIds"]:
        say(f"{clean(str(done['key']))} is back with {count_of(len(done['sessionIds']), 'transcript')}.")
    else:
        say(f"Everything of {clean(str(done['key']))} was there already.")
