"""``python -m instar.testing.leaks``: play scripts and say what leaked; the exit code is 1 when anything did."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from instar.testing.leaks.campaign import FILE_NAME, Progress, run_campaign
from instar.testing.leaks.play import play
from instar.testing.seeds import Limits, load_progress

SECONDS_DEFAULT = 60.0


@click.command()
@click.option("--seed", type=int, help="Play this one, and say what leaked.")
@click.option("--seeds", type=int, help="Play so many.")
@click.option("--seconds", type=float, help=f"Play for so long (without --seeds: {SECONDS_DEFAULT:.0f}).")
@click.option("--first", type=int, help="The seed of the first (without: where the last run ended, or 1).")
@click.option("--state", type=click.Path(path_type=Path), help="A folder that keeps the progress, to go on from.")
@click.option("--workers", type=int, default=os.cpu_count() or 1, show_default=True, help="Processes.")
def main(
    *, seed: int | None, seeds: int | None, seconds: float | None, first: int | None, state: Path | None, workers: int
) -> None:
    """Play scripts on all cores, until a word leaks."""
    if seed is not None:
        findings = play(seed).findings
        click.echo("\n".join(f"seed {seed}: {finding}" for finding in findings) or f"seed {seed}: no word leaked.")
        sys.exit(1 if findings else 0)
    if seeds is None and seconds is None:
        seconds = SECONDS_DEFAULT
    path = state / FILE_NAME if state is not None else None
    progress = load_progress(Progress, path)
    if first is not None:
        progress.next_seed = first
    # What leaked before may be mended by now: it is for this run to say what leaks.
    progress.leaked.clear()
    limits = Limits(seeds=seeds, seconds=seconds)
    is_tight = run_campaign(progress, limits, workers=workers, tell=click.echo, path=path)
    click.echo(progress.tell())
    sys.exit(0 if is_tight else 1)


if __name__ == "__main__":
    main()
