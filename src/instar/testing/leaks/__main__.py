"""``python -m instar.testing.leaks``: play scripts and say what leaked; the exit code is 1 when anything did."""

from __future__ import annotations

import asyncio
import sys

import click

from instar.system.clock import SystemClock
from instar.testing.leaks.play import Outcome, play


@click.command()
@click.option("--seeds", type=int, default=200, show_default=True, help="So many scripts.")
@click.option("--first", type=int, default=1, show_default=True, help="The seed of the first.")
@click.option("--seconds", type=float, help="Scripts for so long, instead.")
def main(*, seeds: int, first: int, seconds: float | None) -> None:
    """Play scripts from one seed on, until a word leaks."""
    clock, outcomes = SystemClock(), list[Outcome]()
    began = clock.monotonic()
    seed = first
    while True:
        outcome = asyncio.run(play(seed))
        outcomes.append(outcome)
        if outcome.findings:
            for finding in outcome.findings:
                click.echo(f"seed {seed}: {finding}")
            sys.exit(1)
        seed += 1
        if (clock.monotonic() - began >= seconds) if seconds is not None else (len(outcomes) >= seeds):
            break
    people, messages = sum(one.people for one in outcomes), sum(one.messages for one in outcomes)
    asked = sum(one.requests for one in outcomes)
    click.echo(f"{len(outcomes)} scripts, {people} people, {messages} messages, {asked} requests: no word leaked.")


if __name__ == "__main__":
    main()
