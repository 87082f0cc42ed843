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
from instar.errors import InvariantBroken
from instar.ports.tool import Tool, ToolContext, ToolOutput
from instar.tools.session_status import SessionStatusTool

OWN = SessionKey("agent:main:telegram:direct:42")
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


def call(gateway: Gateway, arguments: Mapping[str, object]) -> ToolOutput:
    tool: Tool = SessionStatusTool(gateway.status_facts)
    return asyncio.run(tool.call(CONTEXT, arguments))


def texts(output: ToolOutput) -> list[str]:
    return [block.text for block in output.content if isinstance(block, TextBlock)]


def test_it_gives_the_status_as_text_and_as_fields() -> None:
    output = call(Gateway(), {})
    text, fields = texts(output)
    assert "Model: openai/gpt-5.2" in text
    assert json.loads(fields) == output.details
    assert json.loads(fields)["context"] == {"used": 1200, "source": "estimate", "limit": 400_000, "percent": 0}
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


@pytest.mark.parametrize("arguments", [{"sessionKey": 7}, {"key": "x"}, {"INVALID_JSON": "{"}])
def test_odd_arguments_are_told_to_the_model_and_nothing_is_loaded(arguments: Mapping[str, object]) -> None:
    gateway = Gateway()
    assert call(gateway, arguments).is_error
    assert gateway.asked == []


def test_the_gateway_may_come_later() -> None:
    tool, gateway = SessionStatusTool(), Gateway()
    with pytest.raises(InvariantBroken):
        asyncio.run(tool.call(CONTEXT, {}))
    tool.connect(gateway.status_facts)
    assert not asyncio.run(tool.call(CONTEXT, {})).is_error


def test_the_model_is_told_of_one_optional_argument() -> None:
    spec = SessionStatusTool().spec
    assert spec.name == "session_status"
    assert list(spec.parameters["properties"]) == ["sessionKey"]  # type: ignore[call-overload]
    assert "required" not in spec.parameters
