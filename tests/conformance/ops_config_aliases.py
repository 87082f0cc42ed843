"""`config_aliases.json`: every accepted spelling of settings and patches, by its effect (CFG-*, PATCH-*)."""

from __future__ import annotations

from collections.abc import Callable

from instar.config.aliases import apply_aliases
from instar.config.sections.activation import parse_activation
from instar.config.sections.agents import parse_agents
from instar.config.sections.history import parse_history
from instar.config.sections.maintenance import parse_maintenance
from instar.config.sections.memory import parse_memory
from instar.config.sections.models import parse_models
from instar.config.sections.pruning import parse_pruning
from instar.config.sections.routing import parse_routing
from instar.core.context.pruning import resolve_mode
from instar.core.model.fields import parse_session
from instar.core.model.ids import Instant, SessionKey
from instar.core.policy.activation import resolve_activation
from instar.core.policy.patch import Patch, decide_patch
from instar.core.policy.patch_fields import PatchFacts
from instar.core.queue.settings import parse_queue_mode
from instar.core.routing.normalize import (
    normalize_agent_id,
    normalize_channel,
    normalize_chat_type,
    normalize_peer,
)
from instar.runners.catalog import build_model_names, list_models, supports_xhigh
from tests.conformance import ops_pruning, ops_reset_freshness, ops_send_policy, ops_session_keys


def pruning(case):
    root = apply_aliases(case.get("config") or {})
    agents = parse_agents(root)
    agent_id = normalize_agent_id(case["agentId"]) if case.get("agentId") else agents.default_id
    settings = parse_pruning(root).get(agent_id)
    provider, model = case.get("provider") or "", case.get("model") or ""
    if not provider:
        # Nobody asks for a model here, so the configured one is what will be asked.
        provider, _, model = (model or agents.get(agent_id).model.primary or "").partition("/")
    resolved = resolve_mode(settings, provider=provider, model=model)
    return {"settings": ops_pruning.show_settings(resolved)}


def history_limits(case):
    settings = parse_history(apply_aliases(case.get("config") or {}))
    return {"maxMessages": settings.max_messages, "maxTokens": settings.max_tokens, "strategy": settings.strategy}


def memory(case):
    settings = parse_memory(apply_aliases(case.get("config") or {}))
    return {"enabled": settings.enabled, "store": settings.store, "retrieveCount": settings.retrieve_count}


def maintenance(case):
    settings = parse_maintenance(apply_aliases(case.get("config") or {}))
    return {"mode": settings.mode, "pruneAfterMs": settings.prune_after_ms, "maxEntries": settings.max_entries}


def queue_mode(case):
    return {"mode": parse_queue_mode(case.get("value"))}


def patch(case):
    config = apply_aliases(case.get("config") or {})
    agents, key = parse_agents(config), SessionKey(case.get("key") or "agent:main:telegram:direct:1")
    entry = {"sessionId": "00000000-0000-4000-8000-000000000000", **(case.get("entry") or {})}
    models = parse_models(config, environ={})
    facts = PatchFacts(
        key=key,
        now=Instant(case.get("now") or 0),
        session=parse_session(entry, key=key, agent_id=agents.default_id) if case.get("entry") else None,
        models=build_model_names(models, primary=agents.get(agents.default_id).model.primary) if config else None,
        xhigh_models=frozenset(one.ref for one in list_models(models) if supports_xhigh(one)),
        is_admin=True,
        main_key=parse_routing(config).keys.main_key,
    )
    decided = decide_patch(case["patch"], facts)
    return {"entry": dict(decided.fields)} if isinstance(decided, Patch) else {"error": decided.code}


def activation(case):
    channel = normalize_channel(case.get("channel"))
    settings = parse_activation(apply_aliases(case.get("config") or {}), channel=channel)
    mode = resolve_activation(
        settings,
        chat_type=normalize_chat_type(case.get("chatType")) or "direct",
        group_id=normalize_peer(channel, kind="group", peer_id=str(case.get("groupId") or "")),
        override=(case.get("entry") or {}).get("groupActivation"),
    )
    return {"mode": mode.value}


OPS: dict[str, Callable[[dict], object]] = {
    "resetPolicy": ops_reset_freshness.ask_reset_policy,
    "route": ops_session_keys.ask_route,
    "sendDecision": ops_send_policy.resolve,
    "pruning": pruning,
    "historyLimits": history_limits,
    "memory": memory,
    "maintenance": maintenance,
    "queueMode": queue_mode,
    "patch": patch,
    "activation": activation,
}
