"""`send_policy.json`: may a session send, and what `/send` asks for (SEND-*)."""

from __future__ import annotations

from instar.config.aliases import apply_aliases
from instar.config.sections.routing import parse_routing
from instar.config.sections.send import parse_send
from instar.core.policy.command_kinds import Send
from instar.core.policy.command_rights import decide_command
from instar.core.policy.commands import CommandContext, parse_command
from instar.core.policy.send import SendFacts, decide_send


def resolve(case):
    entry, config = case.get("entry") or {}, apply_aliases(case.get("config") or {})
    facts = SendFacts(
        key=case.get("key") or "",
        override=entry.get("sendPolicy"),
        channel=text(case, "channel"),
        chat_type=text(case, "chatType"),
        entry_channel=text(entry, "channel"),
        entry_last_channel=text(entry, "lastChannel"),
        entry_chat_type=text(entry, "chatType"),
        main_key=parse_routing(config).keys.main_key,
    )
    return {"decision": decide_send(parse_send(config), facts).verdict}


def text(fields, name):
    """A field that is text; anything else says nothing."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def command(case):
    """What becomes of a whole message, asked as the gateway asks it."""
    is_group, is_owner = bool(case.get("isGroup")), bool(case["isOwner"])
    found = parse_command(case["text"], CommandContext(is_group=is_group))
    if not isinstance(found, Send):
        return {"handled": False, "result": None}
    decided = decide_command(found, is_authorised=True, is_owner=is_owner, is_group=is_group)
    return {"handled": True, "result": (found.setting or "usage") if decided.outcome == "run" else "ignored"}


OPS = {"resolve": resolve, "command": command}
