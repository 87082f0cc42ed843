"""A foreseen message meets the decisions of a real one, up to the one that stops it (WHY-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instar.core.lifecycle.freshness import decide_freshness
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.decision import Decision
from instar.core.model.setting import Setting
from instar.core.policy.send import ALLOW_ALL, SendFacts, decide_send
from instar.core.policy.tools import ToolPlacing
from instar.core.queue.settings import DEFAULT_QUEUE
from instar.core.turn.foresee import Foreseen, foresee_decisions
from tests.builders.turns import KEY, NOW, build_item, build_session

ROUTE = Decision(kind="route", outcome=KEY, rule="KEY-2")
POLICY = ResetPolicy(mode="none")


def foresee(status="accepted", *, is_new=False, levels=()):
    acceptance = replace(build_item().acceptance, status=status, decisions=(ROUTE,))
    session = build_session()
    freshness = decide_freshness(session.lifecycle, header_at=None, policy=POLICY, now=NOW, zone=None)
    return foresee_decisions(
        Foreseen(
            acceptance=acceptance,
            freshness=None if is_new else freshness,
            policy=POLICY,
            queue=DEFAULT_QUEUE,
            send=decide_send(ALLOW_ALL, SendFacts(key=KEY)),
            tools=ToolPlacing(place="refuse", rule="TYPE-8", source="config"),
            levels=dict(levels),
        )
    )


@pytest.mark.parametrize("status", ["refused", "observed"])
def test_what_gets_no_turn_meets_no_more(status):
    assert foresee(status) == (ROUTE,)


def test_what_gets_a_turn_meets_its_session_queue_tools_and_send_policy():
    assert [one.kind for one in foresee()] == ["route", "freshness", "queue", "tool", "send"]
    assert foresee()[1].outcome == "fresh"
    assert foresee(is_new=True)[1].rule == "RESET-17"
    assert foresee()[2].inputs == {"mode": "steer", "debounce_ms": 500, "source": "default"}


def test_levels_are_told_where_somebody_set_them():
    levels = {
        "thinkingLevel": Setting(value="high", source="channel"),
        "verboseLevel": Setting(value="off", source="default"),
    }
    assert [one for one in foresee(levels=levels) if one.kind == "level"] == [
        Decision(
            kind="level",
            outcome="holds",
            rule="RESOLVE-5",
            inputs={"setting": "thinkingLevel", "value": "high", "source": "channel"},
        )
    ]
