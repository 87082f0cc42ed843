"""STATUS-6: the same data as text and as fields."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC

import pytest

from instar.core.explain.status import StatusFacts
from instar.core.lifecycle.reset import ResetPolicy
from instar.core.model.entry import TextBlock
from instar.core.model.ids import AgentId, Instant, SessionKey, TurnId
from instar.core.model.state import ChangesSince, StateEvent
from instar.errors import InvariantBroken
from instar.ports.tool import Tool, ToolContext, ToolOutput
from instar.tools.session_status import SessionStatusTool

OWN = SessionKey("agent:main:telegram:direct:42")
WATCHED = SessionKey("agent:main:telegram:group:1")
CONTEXT = ToolContext(session_key=OWN, agent_id=AgentId("main"), turn_id=TurnId("t"), call_id="c")


class Gateway:
    """Remembers which session was asked for."""

    def __init__(self) -> None:
        self.asked: list[SessionKey] = []

    async def status_facts(self, key: SessionKey) -> StatusFacts:
        self.asked.append(key)
        return StatusFacts(
            version="1",
            now=Instant(0),
            zone=UTC,
            key=key,
            session=None,
            model="openai/gpt-5.2",
            auth_kind="api key",
            window_used=1200,
            window_source="estimate",
            window_tokens=400_000,
            queue_mode="steer",
            queue_source="default",
            waiting=0,
            running=1,
            send_verdict="allow",
            policy=ResetPolicy(),
            freshness=None,
        )

    async def changes(self, asker: SessionKey, key: SessionKey, *, since: int) -> ChangesSince | None:
        assert asker == OWN
        if key not in (OWN, WATCHED):
            return None
        event = StateEvent(
            sequence=4, kind="human_direct_message", actor_type="human", summary="A person wrote here.", at=Instant(0)
        )
        return ChangesSince(state_version=4, events=(event,), history_gap=since == 0)


def call(gateway: Gateway, arguments: Mapping[str, object]) -> ToolOutput:
    tool: Tool = SessionStatusTool(gateway.status_facts, gateway.changes)
    return asyncio.run(tool.call(CONTEXT, arguments))


def texts(output: ToolOutput) -> list[str]:
    return [block.text for block in output.content if isinstance(block, TextBlock)]


def test_it_gives_the_status_as_text_and_as_fields() -> None:
    output = call(Gateway(), {})
    text, fields = texts(output)
    assert "Model: openai/gpt-5.2" in text
    assert json.loads(fields) == output.details
    assert json.loads(fields)["context"] == {
        "used": 1200,
        "source": "estimate",
        "limit": 400_000,
        "percent": 0,
        "countedAt": None,
    }
    assert not output.is_error


@pytest.mark.parametrize(
    "arguments", [{}, {"sessionKey": " "}, {"sessionKey": None}, {"sessionKey": f" {OWN.upper()} "}]
)
def test_it_means_the_session_it_runs_in(arguments: Mapping[str, object]) -> None:
    gateway = Gateway()
    assert not call(gateway, arguments).is_error
    assert gateway.asked == [OWN]


@pytest.mark.parametrize("other", ["agent:main:main", "agent:main:telegram:direct:43", "nonsense"])
def test_another_session_looks_like_one_that_does_not_exist(other: str) -> None:
    gateway = Gateway()
    output = call(gateway, {"sessionKey": other})
    assert output.is_error
    assert "no session" in texts(output)[0]
    assert gateway.asked == []


@pytest.mark.parametrize("key", [OWN, WATCHED])
def test_it_tells_what_happened_since_a_version(key: SessionKey) -> None:
    output = call(Gateway(), {"sessionKey": key, "changesSince": 3})
    text, fields = texts(output)
    assert text.splitlines() == [
        f"Changes of {key} after version 3 (it is at 4 now):",
        "4. 1970-01-01 00:00 human_direct_message (human): A person wrote here.",
    ]
    assert json.loads(fields) == {
        "sessionKey": key,
        "stateVersion": 4,
        "events": [
            {
                "sequence": 4,
                "kind": "human_direct_message",
                "actorType": "human",
                "summary": "A person wrote here.",
                "ts": 0,
            }
        ],
    }
    assert json.loads(texts(call(Gateway(), {"sessionKey": key, "changesSince": 0}))[1])["historyGap"] is True


def test_of_a_session_that_may_not_be_seen_no_change_is_told() -> None:
    output = call(Gateway(), {"sessionKey": "agent:main:telegram:direct:43", "changesSince": 0})
    assert output.is_error
    assert "no session" in texts(output)[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"sessionKey": 7},
        {"key": "x"},
        {"INVALID_JSON": "{"},
        {"changesSince": "3"},
        {"changesSince": -1},
        {"changesSince": True},
    ],
)
def test_odd_arguments_are_told_to_the_model_and_nothing_is_loaded(arguments: Mapping[str, object]) -> None:
    gateway = Gateway()
    assert call(gateway, arguments).is_error
    assert gateway.asked == []


def test_the_gateway_may_come_later() -> None:
    tool, gateway = SessionStatusTool(), Gateway()
    with pytest.raises(InvariantBroken):
        asyncio.run(tool.call(CONTEXT, {}))
    tool.connect(gateway.status_facts, gateway.changes)
    assert not asyncio.run(tool.call(CONTEXT, {})).is_error


def test_the_model_is_told_of_its_optional_arguments() -> None:
    spec = SessionStatusTool().spec
    assert spec.name == "session_status"
    assert list(spec.parameters["properties"]) == ["sessionKey", "changesSince"]  # type: ignore[call-overload]
    assert "required" not in spec.parameters
