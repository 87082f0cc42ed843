"""Send rules that can never match: a prohibition that forbids nothing looks like safety and is none (WHY-5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from instar.config.config import Config
from instar.config.finding import Finding
from instar.core.policy.send import SendMatch, SendRule
from instar.core.routing.key import parse_key
from instar.core.routing.normalize import normalize_chat_type
from instar.core.routing.prefix import find_prefix_fault

__all__ = ["lint_send"]

_PLACE: Final = re.compile(r"[a-z]+\[[0-9]+\]")

_CHATLESS: Final = {"cron", "hook", "node", "subagent", "acp"}
"""Types of keys that belong to no chat, and so have no chat type (SEND-5)."""


def lint_send(config: Config) -> Iterator[Finding]:
    """One finding per rule of `session.sendPolicy` that no session can match."""
    for rule in config.send.rules:
        fault = _fault(rule.match, config)
        if fault is not None:
            yield _tell(rule, fault)


def _fault(match: SendMatch, config: Config) -> str | None:
    """Why nothing can match; None if something can."""
    keys = config.routing.keys
    if match.channel is not None and match.channel not in keys.known_channels:
        return f'there is no channel "{match.channel}"'
    if match.chat_type is not None and normalize_chat_type(match.chat_type) is None:
        return f'"{match.chat_type}" is no kind of chat'
    for prefix, is_whole in ((match.key_prefix, False), (match.raw_key_prefix, True)):
        if prefix is None:
            continue
        fault = find_prefix_fault(
            prefix,
            is_whole=is_whole,
            known_channels=keys.known_channels,
            agents=config.routing.bindings.agents,
            main_key=keys.main_key,
        )
        if fault is not None:
            return fault
        kind = parse_key(f"{prefix}x", main_key=keys.main_key).type
        if match.chat_type is not None and kind in _CHATLESS:
            return f"sessions of {kind} have no chat type"
    return None


def _tell(rule: SendRule, fault: str) -> Finding:
    place = _PLACE.match(rule.name)
    is_deny = rule.action == "deny"
    return Finding(
        code="dead-deny-rule" if is_deny else "dead-allow-rule",
        severity="critical" if is_deny else "warning",
        path=f"session.sendPolicy.{place[0]}" if place else "session.sendPolicy",
        what="The rule forbids nothing" if is_deny else "The rule allows nothing",
        why=fault,
        fix="Correct it, or take it away.",
    )
