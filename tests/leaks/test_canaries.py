"""No word of one person reaches another; and were the code to leak, it would be noticed.

The second half plants leaks, one line each, in a copy of the package, and plays the same scripts against the copy.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from instar.testing.leaks.play import play
from tests.builders.tree import ROOT

SCRIPTS = 30
LONGEST_S = 15.0
"""The suite plays this many scripts, or for so long; ``python -m instar.testing.leaks --seeds 2000`` plays more."""

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
        "return self.sees_all or (touch is not None and touch.allowed)",
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
}
"""Ten leaks by name: the file, the line as it is, and the line that leaks."""


def test_no_word_of_one_person_reaches_another() -> None:
    began, played = time.monotonic(), 0
    for seed in range(1, SCRIPTS + 1):
        outcome = asyncio.run(play(seed))
        assert outcome.findings == (), f"seed {seed}"
        played += 1
        if time.monotonic() - began > LONGEST_S:
            break
    assert played >= 1


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
        [sys.executable, "-m", "instar.testing.leaks", "--seeds", "40"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 1, done.stdout[-500:]
    assert done.stdout.startswith("seed "), done.stdout[-500:] + done.stderr[-2000:]
    assert " of (" in done.stdout
