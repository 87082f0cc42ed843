"""``python -m instar.testing.crash``: kill a gateway again and again, and say what came of it."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from instar.errors import InstarError
from instar.testing.crash.campaign import HARMS, CrashPlan, run_campaign
from instar.testing.crash.damage import DATABASE_HARMS, Trial, make_killed_state, try_damaged
from instar.testing.crash.model import token_script
from instar.testing.crash.process import build_config
from instar.testing.model_server import ModelServer
from instar.testing.simulate.dice import Dice

__all__ = ["main"]


@click.command()
@click.option("--kills", type=click.IntRange(0), default=300, show_default=True)
@click.option("--senders", type=click.IntRange(1), default=32, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Draws moments, people and harm.")
@click.option("--harm", "harms", default="mirror,slow", show_default=True, help=f"Any of {', '.join(HARMS)}, or none.")
@click.option("--trials", type=click.IntRange(0), default=0, show_default=True, help="So many damaged databases.")
@click.option("--folder", type=click.Path(path_type=Path), default=None, help="Keep everything there.")
def main(*, kills: int, senders: int, seed: int, harms: str, trials: int, folder: Path | None) -> None:
    """Kill a gateway again and again, and hold what senders were told against what is stored and sent."""
    wanted = frozenset(harms.replace("none", "").replace(",", " ").split())
    if wanted - set(HARMS):
        raise click.BadParameter(f"there is no harm {', '.join(sorted(wanted - set(HARMS)))}", param_hint="--harm")
    place = folder or Path(tempfile.mkdtemp(prefix="instar-crash-"))
    found: list[str] = []
    try:
        if kills:
            plan = CrashPlan(folder=place, kills=kills, senders=senders, seed=seed, harms=wanted)
            report = asyncio.run(run_campaign(plan, tell=click.echo))
            click.echo("\n".join(report.lines()))
            found += report.findings
        if trials:
            done = asyncio.run(_try_all(place / "trials", count=trials, seed=seed))
            click.echo("\n".join(_tell_trials(done)))
            found += [what for trial in done for what in trial.findings]
    except InstarError as error:
        raise click.ClickException(str(error)) from error
    if found:
        click.echo(f"Everything is kept in {place}.")
        sys.exit(1)
    if folder is None:
        shutil.rmtree(place, ignore_errors=True)


async def _try_all(folder: Path, *, count: int, seed: int) -> list[Trial]:
    """So many trials, the harms in turn."""
    harms, done = list(DATABASE_HARMS), []
    with ModelServer(token_script) as model:
        base = folder / "base"
        await asyncio.to_thread(base.mkdir, parents=True)
        state = await make_killed_state(base, config=build_config(model_url=model.openai_url))
        for number in range(count):
            place = folder / str(number)
            done.append(await try_damaged(state, place, harms[number % len(harms)], Dice(seed * 1000 + number)))
            if not done[-1].findings:
                await asyncio.to_thread(shutil.rmtree, place)
    return done


def _tell_trials(done: list[Trial]) -> list[str]:
    """A table of what became of damaged databases, and the breaches below it."""
    lines = ["| harm | trials | refused | started, damage told | started, messages out of reach | breaches |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for harm, count in Counter(trial.harm for trial in done).items():
        those = [trial for trial in done if trial.harm == harm]
        cells = (
            count,
            sum(trial.is_refused for trial in those),
            sum(trial.is_damage_told and not trial.is_refused for trial in those),
            sum(bool(trial.lost) for trial in those),
            sum(len(trial.findings) for trial in those),
        )
        lines.append(f"| {harm} | {' | '.join(map(str, cells))} |")
    return [*lines, *(f"- {trial.harm}: {what}" for trial in done for what in trial.findings)]


if __name__ == "__main__":
    main()
