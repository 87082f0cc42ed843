"""A gateway with a defect of one line is caught: each is put into a copy of the package, and stories are played.

The quick ones run with every `make test`, all of them with ``--mutations`` (`make mutations`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from instar.testing.simulate import draw_story, play_story
from tests.builders.tree import PACKAGE
from tests.simulation.mutations import MUTATIONS, Mutation

PLAY = """
import sys, warnings
warnings.simplefilter("ignore")
from instar.testing.simulate import draw_story, play_story
for seed in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
    broken = play_story(draw_story(seed)).broken
    if broken:
        print(f"caught by seed {seed}: {broken[0].rule} {broken[0].text[-200:]}")
        break
else:
    print("not caught")
"""

QUICK = 3
"""Every so many of the list is tried in each run."""

NAMES = [mutation.name for mutation in MUTATIONS]


def pytest_generate_tests(metafunc):
    if "tried" in metafunc.fixturenames:
        step = 1 if metafunc.config.getoption("--mutations") else QUICK
        metafunc.parametrize("tried", MUTATIONS[::step], ids=NAMES[::step])


def read_source(mutation: Mutation) -> str:
    return (PACKAGE / mutation.file).read_text(encoding="utf-8")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_each_mutation_is_of_a_line_that_is_there(mutation):
    assert read_source(mutation).count(mutation.old) == 1, f"{mutation.file} has changed: write the mutation anew"
    assert mutation.old != mutation.new


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES) >= 10
    assert {name.partition(":")[0] for name in NAMES} >= {
        "accept",
        "dedupe",
        "lane",
        "turn",
        "outbox",
        "mirror",
        "freshness",
    }


@pytest.mark.timeout(400)
def test_the_simulation_catches(tried, tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "instar", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    broken = tmp_path / "instar" / tried.file
    broken.write_text(read_source(tried).replace(tried.old, tried.new), encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-B", "-c", PLAY, str(tried.first), str(tried.seeds)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=360,
    )
    caught = re.match(r"caught by seed (\d+): ", told.stdout)
    assert caught, told.stdout
    assert not play_story(draw_story(int(caught[1]))).broken, "the gateway breaks this promise without the mutation too"
