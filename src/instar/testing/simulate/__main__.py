"""``python -m instar.testing.simulate``: one story told, or as many as fit."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from instar.testing.seeds import Limits
from instar.testing.simulate.campaign import Campaign, explain_seed, run_campaign
from instar.testing.simulate.draw import draw_story
from instar.testing.simulate.play import play_story
from instar.testing.simulate.tell import tell_story

SECONDS_DEFAULT = 120.0


def main(arguments: list[str]) -> int:
    """Play what the arguments ask for; 0 when no promise was broken."""
    options = _parse(arguments)
    if options.seed is not None:
        return _tell_one(options.seed)
    limits = Limits(seeds=options.seeds, seconds=options.seconds)
    if options.seeds is None and options.seconds is None:
        limits = Limits(seconds=SECONDS_DEFAULT)
    campaign = Campaign(workers=options.workers, state_dir=options.state, first=options.first)
    return 0 if run_campaign(campaign, limits, tell=_say) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m instar.testing.simulate",
        description="Play drawn stories against a whole gateway in memory, and check that nothing is lost in any.",
    )
    parser.add_argument("--seed", type=int, help="play this one, and tell it step by step")
    parser.add_argument("--seeds", type=int, help="play so many")
    parser.add_argument("--seconds", type=float, help=f"play for so long (default: {SECONDS_DEFAULT:.0f})")
    parser.add_argument("--first", type=int, help="begin with this seed (default: where the last run ended, or 0)")
    parser.add_argument("--state", type=Path, help="a folder that keeps the progress, to go on the next time")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    return parser.parse_args(arguments)


def _tell_one(seed: int) -> int:
    story = draw_story(seed)
    _say(tell_story(story))
    played = play_story(story)
    if not played.broken:
        _say(f"{played.messages} messages, {played.turns} turns, {played.crashes} crashes: every promise was kept")
        return 0
    _say(explain_seed(seed))
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
