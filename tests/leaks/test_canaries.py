"""No word of one person reaches another; and were the code to leak, it would be noticed.

The second half plants leaks, one line each, in a copy of the package, and plays the same scripts against the copy.
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import instar.tools
from instar.protocol.methods import METHODS
from instar.testing.clock import ManualClock
from instar.testing.leaks.asking import OPEN_TO_PEOPLE, OWN_STEPS
from instar.testing.leaks.campaign import Progress, run_campaign
from instar.testing.leaks.play import Outcome, play
from instar.testing.leaks.tools import Tools
from instar.testing.seeds import Limits, load_progress
from tests.builders.tree import ROOT

SCRIPTS = 60
"""The suite plays this many scripts; ``make leaks SEEDS=2000`` plays more."""

REFUSED_TO_PEOPLE = {"dashboard.link": "a script has no server that links could lead to"}
"""Methods that a person may use and that no script can answer, each with the reason."""

PLANTED = {
    "direct chats of a channel are one session": (
        "core/routing/key.py",
        'rest = f"{_word(channel)}:direct:{peer}"',
        'rest = f"{_word(channel)}:direct:x"',
    ),
    "groups of a channel are one session": (
        "core/routing/key.py",
        "{kind}:{peer or UNKNOWN_KEY}",
        "{kind}:{UNKNOWN_KEY}",
    ),
    "a link takes in strangers": (
        "core/routing/identity.py",
        "at = links.sharing.find(channel, peer_id) if links.groups and peer_id else None",
        "at = 0 if links.groups and peer_id else None",
    ),
    "a client may touch any session": (
        "api/gate.py",
        "return self.covers(key) or (touch is not None and touch.allowed)",
        "return True",
    ),
    "everybody is a member of every group": (
        "core/policy/ownership.py",
        "if any(member.strip().lower() in known for member in session.members):",
        "if session.owner is None:",
    ),
    "everybody owns every session": (
        "core/policy/ownership.py",
        "if session.owner is not None and session.owner.strip().lower() in known:",
        "if session.owner is not None:",
    ),
    "events are told to whoever listens": (
        "api/hearing.py",
        "if touches[held.session_key][places[connection]].allowed or self._was_theirs(held.out, connection):",
        "if touches:",
    ),
    "a group is shown what another one said": (
        "stores/queries/inbox.sql",
        "WHERE session_key = :session_key AND state = 'observed'",
        "WHERE state = 'observed'",
    ),
    "words are written to the log": (
        "gateway/gateway.py",
        "        inbound_id = parts.ids.inbound_id()\n",
        '        inbound_id = parts.ids.inbound_id()\n        log.info("taken", text=submission.inbound.text)\n',
    ),
    "words are written into decisions": (
        "core/turn/door.py",
        "    decisions = (*address.decisions, access.as_decision(access_facts))\n",
        (
            "    told = replace(access.as_decision(access_facts), outcome=submission.inbound.text)\n"
            "    decisions = (*address.decisions, told)\n"
        ),
    ),
    "lists are counted for everybody": (
        "api/handlers/sessions.py",
        "        owner_in=call.owner_in,\n        label=params",
        "        owner_in=None,\n        label=params",
    ),
    "searches are limited before their owner is asked": (
        "api/handlers/sessions.py",
        "            owner_in=call.owner_in,\n            key_in",
        "            owner_in=None,\n            key_in",
    ),
    "status counts the sessions of everybody": (
        "api/handlers/gateway.py",
        "status = await call.gateway.status(recent=RECENT, owner_in=call.owner_in)",
        "status = await call.gateway.status(recent=RECENT, owner_in=None)",
    ),
    "a refusal tells whom an id belongs to": (
        "api/call.py",
        'raise NotFound(f"There is no session {text.strip()}"',
        'raise NotFound(f"There is no session {key}"',
    ),
    "every session writes notes for all": (
        "gateway/note_tools.py",
        "return is_main_key(key, main_key=parts.config().routing.keys.main_key)",
        "return True",
    ),
    "an export of a person holds what others said": (
        "core/context/erasing.py",
        "change = _erase(entry, sure, walk)[1]",
        'change: Change = "answer"',
    ),
    "an erasure leaves what the agent answered": (
        "core/context/erasing.py",
        'return replace(entry, message=_empty(entry.message)), "answer"',
        "return entry, None",
    ),
    "an erasure leaves what a lane keeps warm": (
        "gateway/people.py",
        "                self._lanes.warm(key).forget()",
        "                self._lanes.warm(key)",
    ),
    "an erasure leaves archives": (
        "stores/erasing/files.py",
        "    if is_own:\n        path.unlink(missing_ok=True)\n",
        "    if is_own:\n",
    ),
    "an erasure leaves old backups unnamed": (
        "stores/erasing/scan.py",
        "if _count(path, needle)[0] or _is_in_backup(path, pattern, places)",
        "if not path",
    ),
    "whoever was erased is brought in again": (
        "stores/change.py",
        "    is_same = find_erased_at(tx, [header.id]) is not None\n",
        "    return\n",
    ),
    "replies are not encrypted": (
        "stores/sealing/columns.py",
        'columns={"text": _LOST, "reason": _LOST},',
        'columns={"reason": _LOST},',
    ),
    "archives are not encrypted": (
        "stores/archive.py",
        "seals=self._store.engine.seals)",
        "seals=None)",
    ),
    "whoever may write may make backups": (
        "protocol/methods/keeping.py",
        'name="backup.create",\n        scope=ADMIN,',
        'name="backup.create",\n        scope="operator.write",',
    ),
}
"""Leaks by name: the file, the line as it is, and the line that leaks."""


@pytest.fixture(scope="module")
def played() -> list[Outcome]:
    """The first scripts."""
    return [play(seed) for seed in range(1, SCRIPTS + 1)]


@pytest.mark.timeout(180)
def test_no_word_of_one_person_reaches_another(played: list[Outcome]) -> None:
    assert {one.seed: one.findings for one in played if one.findings} == {}


def test_people_ask_for_every_method(played: list[Outcome]) -> None:
    asked: Counter[str] = sum((one.asked for one in played), Counter())
    assert METHODS.keys() - asked.keys() == set()


def test_every_errand_of_the_owner_is_done_with_encryption_and_without(played: list[Outcome]) -> None:
    for is_sealed in (True, False):
        done: Counter[str] = sum((one.done for one in played if one.is_sealed == is_sealed), Counter())
        assert {name for name in done if done[name] > 1} == OWN_STEPS.keys() | {"sessions.delete", "sessions.restore"}
    assert OWN_STEPS.keys() <= METHODS.keys()


def test_every_method_that_people_may_use_is_answered_to_some(played: list[Outcome]) -> None:
    answered: Counter[str] = sum((one.answered for one in played), Counter())
    assert {name for name in OPEN_TO_PEOPLE if not answered[name]} == REFUSED_TO_PEOPLE.keys()


def test_every_tool_is_called(played: list[Outcome]) -> None:
    """A class of `instar.tools` that has a spec and a call is a tool, and stands in every script by existing."""
    modules = (pkgutil.resolve_name(one.name) for one in pkgutil.walk_packages(instar.tools.__path__, "instar.tools."))
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__ and {"spec", "call"} <= set(dir(value))
    }
    tools = Tools(ManualClock(), lambda _: Path("/nowhere")).by_name
    assert {type(tool) for tool in tools.values()} == classes
    called: Counter[str] = sum((one.called for one in played), Counter())
    assert {name for name in tools if not called[name]} == set()


def test_a_campaign_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path, lines = tmp_path / "leaks.json", list[str]()
    assert run_campaign(Progress(), Limits(seeds=2), workers=1, tell=lines.append, path=path)
    progress = load_progress(Progress, path)
    assert (progress.scripts, progress.next_seed, lines) == (2, 3, [])
    assert run_campaign(progress, Limits(seeds=1), workers=1, tell=lines.append, path=path)
    assert (load_progress(Progress, path).scripts, load_progress(Progress, path).next_seed) == (3, 4)


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.timeout(180)
def test_a_planted_leak_is_found(name: str, tmp_path: Path) -> None:
    file, good, bad = PLANTED[name]
    shutil.copytree(ROOT / "src" / "instar", tmp_path / "instar", ignore=shutil.ignore_patterns("__pycache__"))
    leaking = tmp_path / "instar" / file
    text = leaking.read_text(encoding="utf-8")
    assert text.count(good) == 1, f"the line is no longer in {file}: plant the leak elsewhere"
    leaking.write_text(text.replace(good, bad), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "instar.testing.leaks", "--seeds", "80", "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 1, done.stdout[-500:]
    assert done.stdout.startswith("seed "), done.stdout[-500:] + done.stderr[-2000:]
    assert " of (" in done.stdout
