"""`instar simulate`: what another configuration would have made of the messages of the past (WHY-4)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from instar.cli.connect import open_gateway
from instar.cli.options import GatewayFlags, Whole, json_option
from instar.cli.terminal import clean, print_json, say
from instar.core.explain.traffic import TrafficRecord, parse_record
from instar.core.model.quantity import parse_duration_ms
from instar.errors import InvalidRequest

__all__ = ["command"]

_TIMEOUT_MS = 120_000
"""Thousands of messages are decided anew; that takes its time."""


@click.command("simulate")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The proposed configuration.",
)
@click.option("--since", metavar="TIME", default="7d", show_default=True, help="How far back, like 12h or 30d.")
@click.option(
    "--traffic",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Messages as JSON lines, instead of those that the gateway has on record; needs no gateway.",
)
@click.option("--url", metavar="URL", help="Address of the gateway, like ws://127.0.0.1:18789.")
@click.option("--token", metavar="TOKEN", help="Its token, where the configuration does not know it.")
@click.option("--password", metavar="PASSWORD", help="Its password, in the same case.")
@click.option(
    "--timeout",
    type=Whole(min=1),
    default=_TIMEOUT_MS,
    show_default=True,
    metavar="MS",
    help="How long to wait for an answer, in milliseconds.",
)
@json_option
def command(
    *,
    config: Path,
    since: str,
    traffic: Path | None,
    url: str | None,
    token: str | None,
    password: str | None,
    timeout: int,
    as_json: bool,
) -> None:
    """Show which sessions would merge, part, start over or fall silent under another configuration.

    Messages of the past are decided anew, by who wrote where and when. Nothing is sent, nothing is stored.
    """
    text = config.read_text(encoding="utf-8-sig")
    if traffic is not None:
        fields, told = _simulate_here(text, config, traffic)
    else:
        since_ms = parse_duration_ms(since, bare_unit="d")
        if not since_ms:
            raise InvalidRequest(f"--since {since} is no time", fix="Write it like 12h, 7d or 4w.")
        with open_gateway(GatewayFlags(url=url, token=token, password=password, timeout_ms=timeout)) as gateway:
            answer = gateway.call("sessions.simulate", {"raw": text, "sinceMs": since_ms})
        fields = {name: value for name, value in answer.items() if name != "text"}
        told = list(answer["text"])
    if as_json:
        print_json(fields)
        return
    for line in told:
        say(clean(line))


def _simulate_here(text: str, file: Path, traffic: Path) -> tuple[dict[str, object], list[str]]:
    """The report on recorded messages under the configuration of this machine and the proposed one."""
    from instar.config.load import load_config, parse_text
    from instar.core.explain.report import build_report_fields, tell_report
    from instar.core.explain.simulate import simulate_change
    from instar.system.clock import SystemClock

    home = Path.home()
    today = load_config(None, env=os.environ, home=home, thorough=False).config
    proposed = parse_text(text, file=str(file), env=os.environ, home=home, thorough=False).config
    report = simulate_change(tuple(_read_records(traffic)), today, proposed, zone=SystemClock().zone())
    return build_report_fields(report), list(tell_report(report))


def _read_records(path: Path) -> Iterator[TrafficRecord]:
    """The messages of a file, one JSON object a line. Raises `InvalidRequest` with the number of a bad line."""
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise InvalidRequest(f"{path}:{number} is no JSON", why=str(error)) from None
            record = parse_record(fields) if isinstance(fields, dict) else "record"
            if isinstance(record, str):
                raise InvalidRequest(
                    f"{path}:{number} is no message",
                    why=f"{record} is missing or cannot be read",
                    fix="Each line is an object with at, channel, chatType, chatId and senderId.",
                )
            yield record
