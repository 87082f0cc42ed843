"""`session_keys.json`: keys derived, shortened, canonicalised and taken apart (KEY-*, NORM-*, SESSTOOL-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from instar.config.aliases import apply_aliases
from instar.config.sections.agents import parse_agents
from instar.config.sections.routing import parse_routing
from instar.core.routing.key import (
    KeySettings,
    canonical_key,
    derive_session_key,
    parent_key,
    parse_key,
    short_key,
    tool_kind,
)
from instar.core.routing.normalize import normalize_account_id, normalize_agent_id, normalize_chat_type


def ask_route(case: dict) -> dict[str, object]:
    """The key of a chat; `config_aliases.json` asks it in the same words."""
    peer = case.get("peer") or {}
    key = derive_session_key(
        keys_of(case.get("config")),
        agent_id=case.get("agentId") or "",
        channel=case.get("channel") or "",
        kind=normalize_chat_type(peer.get("kind")) or "direct",
        peer_id=write_id(peer.get("id")),
        account_id=case.get("accountId"),
        thread_id=write_id(case.get("threadId")),
        dm_scope=case.get("dmScope"),
        group_scope=case.get("groupScope"),
    )
    return {"sessionKey": key}


def ask_canonical(case: dict) -> dict[str, object]:
    config = case.get("config") or {}
    key = canonical_key(
        write_id(case.get("key")),
        keys_of(config),
        default_agent=case.get("defaultAgentId") or parse_agents(apply_aliases(config)).default_id,
        channel_hint=case.get("channelHint"),
    )
    return {"sessionKey": key}


def ask_parse(case: dict) -> dict[str, object]:
    parsed = parse_key(case["key"], main_key=keys_of(case.get("config")).main_key)
    return {
        "type": parsed.type,
        "agentId": parsed.agent_id,
        "channel": parsed.channel,
        "accountId": parsed.account_id,
        "peerId": parsed.peer_id,
        "threadId": parsed.thread_id,
    }


def ask_tool_kind(case: dict) -> dict[str, object]:
    return {"kind": tool_kind(case["key"], main_key=keys_of(case.get("config")).main_key)}


def write_id(value: object) -> str:
    """An id of a case as text: platforms send numbers too, and an absent one is empty."""
    return "" if value is None else str(value)


def keys_of(config: Mapping[str, object] | None) -> KeySettings:
    """The key settings of a configuration as a case writes it."""
    return parse_routing(apply_aliases(config or {})).keys


OPS: dict[str, Callable[[dict], object]] = {
    "route": ask_route,
    "short": lambda case: {"key": short_key(case.get("channel") or "", write_id(case.get("accountId")))},
    "canonical": ask_canonical,
    "parse": ask_parse,
    "parent": lambda case: {"parentKey": parent_key(case["key"])},
    "agentId": lambda case: {"id": normalize_agent_id(case.get("value"))},
    "accountId": lambda case: {"id": normalize_account_id(case.get("value"))},
    "toolKind": ask_tool_kind,
}
