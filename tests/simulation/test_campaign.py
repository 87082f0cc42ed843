"""A campaign plays many seeds, goes on where it stopped, and tells what broke so that somebody can mend it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from instar.errors import InvalidRequest
from instar.system.clock import SystemClock
from instar.testing.simulate import Campaign, Limits, Setting, Story, shrink_story, tell_story
from instar.testing.simulate.__main__ import main
from instar.testing.simulate.campaign import run_campaign
from instar.testing.simulate.story import Crash, Wait, Write

pytestmark = pytest.mark.timeout(180)  # each campaign starts processes of its own


def test_a_campaign_goes_on_where_the_last_one_stopped(tmp_path):
    for number in (1, 2):
        campaign = Campaign(workers=2, state_dir=tmp_path)
        assert campaign.run(Limits(seeds=8), tell=print) == 0
        assert campaign.progress.next_seed == campaign.progress.stories == 8 * number
    kept = json.loads((tmp_path / "campaign.json").read_text())
    assert kept["next_seed"] == kept["stories"] == 16
    assert kept["messages"] > 16
    assert kept["failed"] == []


def test_a_campaign_may_begin_anywhere(tmp_path):
    campaign = Campaign(workers=1, state_dir=tmp_path, first=1_000)
    campaign.run(Limits(seeds=3), tell=print)
    assert campaign.progress.next_seed == 1_003
    assert campaign.progress.stories == 3


def test_a_campaign_ends_when_its_time_is_over():
    told = []
    assert run_campaign(Campaign(workers=1), Limits(seconds=0.5), tell=told.append)
    assert "0 broke a promise" in told[-1]


def read_state(pid):
    """The state of a process and who started it; none where there is no such process."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):  # it ended, before it was opened or after
        return None
    return (state, int(parent)) if state not in "ZX" else None


def find_workers(campaign):
    """The processes of a campaign that play."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    mine = [pid for pid in pids if (found := read_state(pid)) is not None and found[1] == campaign]
    return [pid for pid in mine if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def wait_until(is_so):
    clock = SystemClock()
    until = clock.monotonic() + 60
    while not is_so():
        assert clock.monotonic() < until, "it never came to that"
        threading.Event().wait(0.05)


def test_workers_end_with_a_campaign_that_is_killed():
    command = [sys.executable, "-m", "instar.testing.simulate", "--seconds", "120", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as campaign:
        try:
            wait_until(lambda: len(find_workers(campaign.pid)) == 2)
            workers = find_workers(campaign.pid)
        finally:
            campaign.kill()
    wait_until(lambda: not any(read_state(pid) for pid in workers))


def test_a_file_that_keeps_something_else_is_named_and_left_alone(tmp_path):
    (tmp_path / "campaign.json").write_text('{"seeds": 3}')
    with pytest.raises(InvalidRequest, match="keeps no progress"):
        Campaign(workers=1, state_dir=tmp_path)
    assert (tmp_path / "campaign.json").read_text() == '{"seeds": 3}'


def test_one_story_is_told_step_by_step(capsys):
    assert main(["--seed", "5"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Story of seed 5: ")
    assert "every promise was kept" in told


def test_a_story_is_shortened_to_what_breaks_it():
    story = Story(
        seed=1,
        setting=Setting(people=("ann", "bob"), queue_mode="collect", debounce_ms=500),
        steps=(
            Wait(seconds=3),
            Write(number=1, place=0, wish="slow=2 tools=look"),
            Wait(seconds=3),
            Write(number=2, place=1, wish="slow=2"),
            Crash(steps=9, down_s=5, ghost=True),
            Wait(seconds=70),
        ),
    )

    def breaks(one: Story) -> bool:
        writes = [step for step in one.steps if isinstance(step, Write)]
        return any("tools" in step.wish for step in writes) and any(isinstance(step, Crash) for step in one.steps)

    short = shrink_story(story, breaks)
    assert short.steps == (Write(number=1, place=0, wish="tools=look"), Crash(steps=1))
    assert short.setting == replace(Setting(), people=("ann", "bob"))
    assert tell_story(short) == (
        "Story of seed 1: people=('ann', 'bob')\n"
        "   1 ann (brook direct, s0s) writes m1: w1w s0s tools=look\n"
        "   2 the gateway dies after 1 more steps, is down for 0 s"
    )
