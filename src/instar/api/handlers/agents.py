"""Methods about agents, their runs and what they may use (RPC-19, RPC-22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.handlers.chat import send_message
from instar.api.handlers.facts import build_agents, build_commands, build_models
from instar.core.model.ids import AgentId, TurnId
from instar.core.policy.resolve import require_agent

__all__ = ["HANDLERS"]

WAIT_DEFAULT_MS: Final = 30_000


async def run_agent(call: Call) -> object:
    """`agent`: to the session that is named, else to the agent's main session."""
    params = call.params
    facts = call.gateway.facts()
    agent_id = call.agent() or facts.default_agent_id
    _check_agent(call, agent_id)
    key = call.named(params.text("sessionKey") or facts.main_key, agent_id=agent_id)
    answer = await send_message(call, key, idempotency_key=params.text("idempotencyKey"), is_run=True)
    status = "accepted" if answer["status"] == "started" else answer["status"]
    return {**answer, "status": status, "acceptedAt": call.services.clock.now(), "sessionKey": key}


def _check_agent(call: Call, agent_id: AgentId) -> None:
    require_agent(agent_id, [agent.id for agent in call.gateway.facts().agents])


async def wait_for_agent(call: Call) -> object:
    """`agent.wait`; a run that has not ended in time, and one nobody knows, answer ``timeout``."""
    run_id = TurnId(call.params.text("runId"))
    answer: dict[str, object] = {"runId": run_id, "status": "timeout"}
    timeout_ms = call.params.whole("timeoutMs", WAIT_DEFAULT_MS)
    if not await _may_wait(call, run_id):
        return answer
    state = await call.gateway.wait_run(run_id, timeout_ms=timeout_ms, principal=call.caller.principal)
    if state is None:
        return answer
    if state.status not in {"waiting", "running"}:
        answer["status"] = state.status
    facts = {"startedAt": state.started_at, "endedAt": state.ended_at, "error": state.error}
    return answer | {name: value for name, value in facts.items() if value is not None}


async def _may_wait(call: Call, run_id: TurnId) -> bool:
    """Whether the caller may hear how a run ends; of one that nobody knows yet, who sees everything stored."""
    if call.sight.sees_incognito:
        return True
    state = await call.gateway.run_state(run_id, principal=call.caller.principal)
    if state is None or state.session_key is None:
        return call.sight.sees_all
    return bool(await call.see((state.session_key,)))


async def identify_agent(call: Call) -> object:
    """`agent.identity.get`: the agent that is named, that of a session, or the default one."""
    facts = call.gateway.facts()
    agent_id = call.agent()
    if agent_id is None and call.params.text("sessionKey"):
        view = await call.gateway.sessions.describe(call.key("sessionKey"))
        agent_id = None if view is None else view.session.agent_id
    agent_id = agent_id or facts.default_agent_id
    _check_agent(call, agent_id)
    name = next((agent.name for agent in facts.agents if agent.id == agent_id), "") or "Assistant"
    return {"agentId": agent_id, "name": name, "avatar": name[0].upper()}


async def list_agents(call: Call) -> object:
    """`agents.list`."""
    return build_agents(call.gateway.facts(), places=call.sight.sees_all)


async def list_models(call: Call) -> object:
    """`models.list`."""
    return {"models": build_models(call.gateway.facts())}


async def list_commands(call: Call) -> object:
    """`commands.list`."""
    return {"commands": build_commands(call.gateway.facts())}


HANDLERS: Final[Mapping[str, Handler]] = {
    "agent": run_agent,
    "agent.wait": wait_for_agent,
    "agent.identity.get": identify_agent,
    "agents.list": list_agents,
    "models.list": list_models,
    "commands.list": list_commands,
}
