"""Real kills in small: a few under some senders, on disks that are slow, full and read-only. `make crash` does more."""

import asyncio

import pytest

from instar.testing.crash.campaign import CrashPlan, run_campaign
from instar.testing.crash.damage import make_killed_state, try_damaged
from instar.testing.crash.model import token_script
from instar.testing.crash.process import build_config
from instar.testing.model_server import ModelServer
from instar.testing.simulate.dice import Dice
from tests.builders.disk import needs_small_disk

pytestmark = pytest.mark.timeout(180)


def kill(folder, *, kills, senders, harms=("mirror", "slow"), seed=1):
    """The report of a small campaign."""
    plan = CrashPlan(folder=folder, kills=kills, senders=senders, seed=seed, harms=frozenset(harms), life_ms=1200)
    return asyncio.run(run_campaign(plan, tell=lambda _: None))


def test_what_was_acknowledged_is_stored_once_and_answered_once_whatever_is_killed(tmp_path):
    report = kill(tmp_path, kills=2, senders=12)
    assert report.findings == []
    assert report.kills == report.checks == 2
    assert report.acknowledged == report.stored == report.answered >= report.senders
    assert report.replies > 0


@needs_small_disk
def test_on_a_disk_that_is_full_and_then_read_only_nothing_is_lost_either(tmp_path):
    report = kill(tmp_path, kills=2, senders=8, harms=("full", "read-only"), seed=2)
    assert report.findings == []
    assert report.harms["full disk"] > 0
    assert report.harms["start on a read-only disk"] > 0
    assert report.acknowledged == report.stored == report.answered


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A state directory as a kill left it."""
    with ModelServer(token_script) as model:
        config = build_config(model_url=model.openai_url)
        state = asyncio.run(make_killed_state(tmp_path_factory.mktemp("killed"), config=config))
        assert len(state.told) == 32
        yield state


@pytest.mark.parametrize("harm", ["the database torn", "the database emptied", "bits of the log flipped"])
def test_a_damaged_database_is_refused_or_told_and_the_rest_works(killed, tmp_path, harm):
    trial = asyncio.run(try_damaged(killed, tmp_path / "trial", harm, Dice(1)))
    assert trial.findings == []
