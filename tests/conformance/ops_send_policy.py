"""`send_policy.json`: may a session send, and what `/send` asks for (SEND-*)."""

from __future__ import annotations

from instar.config.aliases import apply_aliases
from instar.config.sections.send import parse_send
from instar.core.policy.send import SendFacts, decide_send, decide_send_command


def resolve(case):
    entry = case.get("entry") or {}
    facts = SendFacts(
        key=case.get("key") or "",
        override=entry.get("sendPolicy"),
        channel=case.get("channel"),
        chat_type=case.get("chatType"),
        entry_channel=entry.get("channel"),
        entry_last_channel=entry.get("lastChannel"),
        entry_chat_type=entry.get("chatType"),
    )
    return {"decision": decide_send(parse_send(apply_aliases(case.get("config") or {})), facts).verdict}


def command(case):
    result = decide_send_command(case["text"], is_owner=case["isOwner"])
    return {"handled": result is not None, "result": result}


OPS = {"resolve": resolve, "command": command}
