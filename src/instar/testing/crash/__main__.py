"""``python -m instar.testing.crash``: kill a gateway again and again, and say what came of it."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import click

from instar.errors import InstarError
from instar.testing.crash.campaign import HARMS, CrashPlan, run_campaign

__all__ = ["main"]


@click.command()
@click.option("--kills", type=click.IntRange(1), default=300, show_default=True)
@click.option("--senders", type=click.IntRange(1), default=32, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Draws moments, people and harm.")
@click.option("--harm", "harms", default="mirror,slow", show_default=True, help=f"Any of {', '.join(HARMS)}, or none.")
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Keep everything there.")
def main(*, kills: int, senders: int, seed: int, harms: str, folder: Path | None) -> None:
    """Kill a gateway again and again, and hold what senders were told against what is stored and sent."""
    wanted = frozenset(harms.replace("none", "").replace(",", " ").split())
    if wanted - set(HARMS):
        raise click.BadParameter(f"there is no harm {', '.join(sorted(wanted - set(HARMS)))}", param_hint="--harm")
    place = folder or Path(tempfile.mkdtemp(prefix="instar-crash-"))
    plan = CrashPlan(folder=place, kills=kills, senders=senders, seed=seed, harms=wanted)
    try:
        report = asyncio.run(run_campaign(plan, tell=click.echo))
    except InstarError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(report.lines()))
    if report.findings:
        click.echo(f"Everything is kept in {place}.")
        sys.exit(1)
    if folder is None:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
