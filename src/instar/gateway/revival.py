"""Carrying out `/resume` and `/pin`, from chat and over RPC alike (LOSS-6, LOSS-9)."""

from __future__ import annotations

from instar.core.model.change import TranscriptHead
from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry
from instar.core.model.ids import SessionKey
from instar.core.transcript.text import message_text
from instar.core.turn.revive import find_closed_transcript, plan_pin, plan_resume_transcript
from instar.errors import InvariantBroken, NotFound
from instar.gateway.parts import GatewayParts
from instar.gateway.turn_services import TurnServices

__all__ = ["pin_entry", "resume_session"]

QUOTE_CHARS = 80
"""How much of a pinned message is quoted back."""


async def resume_session(
    parts: GatewayParts, services: TurnServices, key: SessionKey, which: str, *, who: str
) -> TranscriptHead:
    """Make a closed transcript of a key current again: the last one, or the one whose session id begins with `which`.

    Must not run beside a turn. Raises `NotFound` when there is none, `InvalidRequest` when several fit.
    """
    head = find_closed_transcript(await parts.store.load_transcripts(key), which)
    branch = [stored.entry for stored in (await parts.store.load_entries(head.session_id)).entries]
    changed = await services.change(
        "resume_session", key, lambda facts: plan_resume_transcript(facts, head, branch=branch, who=who)
    )
    if changed.session is None:
        raise InvariantBroken("a resumed session is there", why=key)
    services.tell_session(changed.session, "reset")
    return head


async def pin_entry(
    parts: GatewayParts, services: TurnServices, key: SessionKey, which: str, *, who: str, pinned: bool = True
) -> str:
    """Pin the entry whose id is `which`, or the last answer; a quote of it. Raises `NotFound`."""
    session = await parts.store.load_session(key)
    if session is None:
        raise NotFound(f"There is no session {key}", fix="Write a message first.")
    page = await parts.store.load_entries(session.session_id)
    branch = [stored.entry for stored in page.entries]
    target = _find(branch, which.strip())
    in_view = any(
        stored.entry.id == target.id for stored in (await parts.store.load_context(session.session_id)).entries
    )
    entry_id = services.ids.entry_id()
    await services.change(
        "pin_entry",
        key,
        lambda facts: plan_pin(facts, target, entry_id=entry_id, pinned=pinned, in_view=in_view, who=who),
    )
    text = message_text(target.message) if isinstance(target, MessageEntry) else target.id
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARS else line[: QUOTE_CHARS - 1].rstrip() + "…"


def _find(branch: list[AnyEntry], which: str) -> AnyEntry:
    for entry in reversed(branch):
        if which:
            if entry.id == which:
                return entry
        elif isinstance(entry, MessageEntry) and isinstance(entry.message, AssistantMessage):
            return entry
    what = f"There is no entry {which}" if which else "There is no answer to pin yet"
    raise NotFound(what, fix="Give the id of an entry, or nothing for the last answer.")
