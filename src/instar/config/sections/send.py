"""`session.sendPolicy` in both spellings: rules with a default, and `blocked` (SEND-3, SEND-8, SEND-9, X-9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.config.read import read_object, read_text, wrong_type
from instar.core.policy.send import (
    ALLOW_ALL,
    SendMatch,
    SendPolicy,
    SendRule,
    build_blocked_match,
    parse_send_verdict,
)
from instar.core.routing.normalize import normalize_channel, normalize_chat_type

__all__ = ["parse_send"]

_PATH = "session.sendPolicy"


def parse_send(root: Mapping[str, object]) -> SendPolicy:
    """The send policy of a whole configuration whose aliases are applied.

    A policy that is no object, rules that are no objects and unknown default words are ignored (SEND-3, SEND-9). A
    part of a match that is no text is an error: ignored, it would silently widen or lift a prohibition.
    """
    raw = read_object(root.get("session"), "session").get("sendPolicy")
    if not isinstance(raw, Mapping):
        return ALLOW_ALL
    return SendPolicy(
        rules=(*_read_blocked(raw.get("blocked")), *_read_rules(raw.get("rules"))),
        default=parse_send_verdict(raw.get("default")),
    )


def _read_blocked(value: object) -> Iterator[SendRule]:
    """One deny rule per word. A single word may stand without its list."""
    words = [value] if isinstance(value, str) else value
    if words is None:
        return
    if not isinstance(words, list | tuple):
        raise wrong_type(f"{_PATH}.blocked", value, wanted="a list", fix='Write [ "group", … ].')
    for at, item in enumerate(words):
        word = read_text(item, f"{_PATH}.blocked[{at}]")
        if word is not None:
            yield SendRule(action="deny", match=build_blocked_match(word), name=f"blocked[{at}] {word}")


def _read_rules(value: object) -> Iterator[SendRule]:
    if not isinstance(value, list | tuple):
        return
    for at, item in enumerate(value):
        if isinstance(item, Mapping):
            path = f"{_PATH}.rules[{at}]"
            yield SendRule(
                action=parse_send_verdict(item.get("action")) or "allow",
                match=_read_match(read_object(item.get("match"), f"{path}.match"), path=f"{path}.match"),
                name=f"rules[{at}]",
            )


def _read_match(fields: Mapping[str, object], *, path: str) -> SendMatch:
    channel = read_text(fields.get("channel"), f"{path}.channel")
    chat_type = read_text(fields.get("chatType"), f"{path}.chatType")
    key_prefix = read_text(fields.get("keyPrefix"), f"{path}.keyPrefix")
    raw_key_prefix = read_text(fields.get("rawKeyPrefix"), f"{path}.rawKeyPrefix")
    return SendMatch(
        channel=normalize_channel(channel) if channel else None,
        chat_type=(normalize_chat_type(chat_type) or chat_type.lower()) if chat_type else None,
        key_prefix=key_prefix.lower() if key_prefix else None,
        raw_key_prefix=raw_key_prefix.lower() if raw_key_prefix else None,
    )
