"""The last word on a story: the rows as they are, held against everything that was promised (LOSS-1…9).

Called when nothing runs, nobody waits and nothing is owed any more. The shadow says what was committed, the book what
people wrote and were told, the platforms what they heard; here all three are held against the store.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from instar.core.model.change import InboxItem
from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry, UserMessage
from instar.core.model.ids import SessionId, SessionKey
from instar.core.model.query import DeliveryRow
from instar.core.transcript.text import message_text
from instar.testing.simulate.book import Sent
from instar.testing.simulate.grown import find_secrets
from instar.testing.simulate.model import NOTES, PROVIDER, find_marks
from instar.testing.simulate.story import Write, owner_of, read_secret
from instar.testing.simulate.watched import read_now
from instar.testing.simulate.world import World

__all__ = ["check_story"]

ALL = 1_000_000

_BEGINNING: Final = re.compile(r"(?:\A|\n\n)(a\d+a)\b")


async def check_story(world: World) -> None:
    """Every promise that can be checked when a story is over."""
    lines = _load_transcripts(world)
    _check_entries(world, lines)
    items = _check_messages(world)
    _check_words(world, items, lines)
    deliveries = read_now(world.inner.load_deliveries(limit=ALL))
    _check_replies(world, items, lines, deliveries)
    _check_heard(world, deliveries)
    _check_ledger(world, lines)
    if world.forgetting is not None:
        world.forgetting.check_end()
    await _check_repeats(world)
    await _check_restart(world)


# --- transcripts (LOSS-3, LOSS-4, LOSS-6, LOSS-9) ---------------------------------------------------------------------


def _load_transcripts(world: World) -> dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]]:
    """Every transcript there ever was: as the store has it, or as it was archived before it was removed."""
    found: dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]] = {}
    for transcript in world.shadow.transcripts.values():
        if transcript.is_removed:
            kept = world.keeper.kept.get(transcript.session_id, ())
            if len(kept) < len(transcript.entries):
                world.findings.report("LOSS-8", f"{transcript.session_id} was removed and is not archived whole")
            found[transcript.session_id] = (transcript.key, kept)
            continue
        heads = {head.session_id for head in read_now(world.inner.load_transcripts(transcript.key))}
        if transcript.session_id not in heads:
            world.findings.report("LOSS-6", f"{transcript.session_id} is no more listed under {transcript.key}")
            continue
        page = read_now(world.inner.load_all_entries(transcript.session_id))
        found[transcript.session_id] = (transcript.key, tuple(stored.entry for stored in page.entries))
    return found


def _check_entries(world: World, lines: dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]]) -> None:
    """What was committed is there, word for word and in order; nothing was taken away, nothing is left open."""
    findings = world.findings
    for session_id, (key, entries) in lines.items():
        transcript = world.shadow.transcripts[session_id]
        if [entry.id for entry in entries] != [entry.id for entry in transcript.entries]:
            findings.report("LOSS-3", f"{session_id} of {key} does not hold the entries that were committed")
        elif tuple(entries) != tuple(transcript.entries):
            findings.report("LOSS-9", f"{session_id} of {key} has entries that were changed")
        findings.require(not transcript.open_calls, "LOSS-4", f"{session_id} has open calls {transcript.open_calls}")
        secrets = {secret for entry in entries for secret in find_secrets(entry)} - transcript.brought
        for secret in secrets:
            findings.require(world.is_own(key, secret), "LEAK-4", f"{session_id} of {key} holds {secret}")


def _own_lines(world: World, session_id: SessionId, entries: tuple[AnyEntry, ...]) -> list[AnyEntry]:
    """What was said in a session itself, without what a thread took along when it began."""
    return [entry for entry in entries if entry.id not in world.shadow.transcripts[session_id].forked]


# --- messages (LOSS-1, LOSS-2) ----------------------------------------------------------------------------------------


def _check_messages(world: World) -> dict[int, InboxItem]:
    """Each message was acknowledged, is stored under what its sender was told, and has ended in one way."""
    findings = world.findings
    items: dict[int, InboxItem] = {}
    for number, sent in world.book.sent.items():
        if sent.is_erased:
            continue
        inbound = sent.submission.inbound
        item = read_now(
            world.inner.find_message(
                channel=inbound.channel, account_id=inbound.account_id, message_id=inbound.message_id
            )
        )
        if item is None or not sent.told:
            findings.report("LOSS-1", f"message {number} was acknowledged and is not stored")
            continue
        items[number] = item
        findings.require(
            item.inbound_id == sent.told[0].inbound_id, "LOSS-1", f"message {number} is stored under another id"
        )
        _check_end(world, sent, item)
    return items


def _check_end(world: World, sent: Sent, item: InboxItem) -> None:
    findings, number = world.findings, sent.number
    row = world.shadow.rows[item.inbound_id]
    findings.require(
        item.state == row.state, "LOSS-2", f"message {number} is {item.state} and was committed as {row.state}"
    )
    findings.require(item.ended_at is not None, "LOSS-2", f"message {number} has not ended: it is {item.state}")
    findings.require(
        item.turn_id is not None or item.state not in {"answered", "merged"},
        "LOSS-2",
        f"message {number} is {item.state} by no turn",
    )
    findings.require(
        bool(item.reason) or item.state not in {"expired", "refused"},
        "LOSS-2",
        f"message {number} is {item.state} without a reason",
    )


def _check_words(
    world: World, items: dict[int, InboxItem], lines: dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]]
) -> None:
    """The words of an answered message are in one transcript, once; those of one that got no turn are in none."""
    where: Counter[str] = Counter()
    for session_id, (_key, entries) in lines.items():
        for entry in _own_lines(world, session_id, entries):
            if isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage):
                where.update(find_marks(_without_quotes(entry), "w"))
    for number, item in items.items():
        sent = world.book.sent[number]
        count = where[sent.mark] if sent.mark else 0
        is_said = item.state in {"answered", "merged"} and bool(sent.mark)
        if count != int(is_said) and not _may_be_said_though_expired(item, count):
            world.findings.report(
                "LOSS-2",
                f"message {number} ended as {item.state} ({item.reason}) and stands in transcripts {count} times",
            )


def _may_be_said_though_expired(item: InboxItem, count: int) -> bool:
    """A message that was running when its session was deleted: its words are in the archive."""
    return item.state == "expired" and item.reason == "session_deleted" and count == 1 and item.turn_id is not None


def _without_quotes(entry: MessageEntry) -> str:
    """The words of the message itself; what a group said before stands beside it, in the envelope."""
    return message_text(entry.message)


# --- replies (LOSS-5, LOSS-7) -----------------------------------------------------------------------------------------


def _check_replies(
    world: World,
    items: dict[int, InboxItem],
    lines: dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]],
    deliveries: tuple[DeliveryRow, ...],
) -> None:
    """Each answer that is in a transcript is owed once, to the chat it answers; each reply has ended."""
    findings = world.findings
    by_mark = _deliveries_by_mark(world)
    for session_id, (key, entries) in lines.items():
        said: set[str] = set()
        for entry in _own_lines(world, session_id, entries):
            message = entry.message if isinstance(entry, MessageEntry) else None
            if isinstance(message, UserMessage):
                said.update(find_marks(message_text(message), "w"), message_text(message).splitlines())
            if not isinstance(message, AssistantMessage) or message.stop_reason == "aborted":
                continue
            for mark in find_marks(message_text(message), "a")[:1]:
                if world.is_forgotten(world.record.turn_of[mark]):
                    continue  # it was owed to somebody who was erased, too
                asked = [sent for sent in _asked(world, items, mark) if _has_asked(sent, items[sent.number], said)]
                _check_owed(world, asked, f"{mark} in {session_id} of {key}", message, by_mark[mark])
    for row in deliveries:
        findings.require(NOTES not in row.outbound.text, "FLUSH-4", f"{row.outbound.delivery_id} tells somebody notes")
        if row.ended_at is None and row.state != "unknown":
            findings.report("LOSS-5", f"reply {row.outbound.delivery_id} is still {row.state}")


def _deliveries_by_mark(world: World) -> Counter[str]:
    """How often each answer is owed: by its own mark, with which it begins, perhaps behind a line of the gateway's."""
    found: Counter[str] = Counter()
    for delivery in world.shadow.deliveries.values():
        found.update(_BEGINNING.findall(delivery.text)[:1])
    return found


def _asked(world: World, items: dict[int, InboxItem], mark: str) -> list[Sent]:
    """The messages of the turn that gave an answer, those that joined it later among them."""
    turn_id = world.record.turn_of[mark]
    return [world.book.sent[number] for number, item in items.items() if item.turn_id == turn_id]


def _has_asked(sent: Sent, item: InboxItem, said: set[str]) -> bool:
    """Whether a message of the turn was there when an answer was given: its mark had been said by then.

    A bare command has no mark. One that was put into a turn stands there as a line, since its writer may not command;
    one that began a turn may stand nowhere.
    """
    if sent.mark:
        return sent.mark in said
    return item.state != "merged" or sent.submission.inbound.text in said


def _check_owed(world: World, asked: list[Sent], where: str, message: AssistantMessage, owed: int) -> None:
    wanted = any(isinstance(sent.step, Write) for sent in asked)
    if message.stop_reason == "error":
        # Its words were told as a sentence about the failure; the beginning of the answer is not sent.
        world.findings.require(owed == 0, "LOSS-5", f"{where} failed and is owed {owed} times")
    elif wanted:
        world.findings.require(owed == 1, "LOSS-5", f"{where} is owed {owed} times")
    else:
        world.findings.require(owed <= 1, "LOSS-5", f"{where} is owed {owed} times")


def _check_heard(world: World, deliveries: tuple[DeliveryRow, ...]) -> None:
    """People heard what was sent, once but where nobody can know, and each in the chat that it answers."""
    findings, shadow = world.findings, world.shadow
    rows = {row.outbound.delivery_id: row for row in deliveries}
    for platform in world.platforms.values():
        heard = Counter(one.delivery_id for one in platform.heard)
        for delivery_id, count in heard.items():
            if world.forgetting is not None and delivery_id in world.forgetting.deliveries:
                continue
            if delivery_id not in rows:
                findings.report("LOSS-5", f"{platform.name} heard {delivery_id}, which nobody owed")
            allowed = 1 + platform.doubted[delivery_id] + shadow.doubted[delivery_id]
            findings.require(count <= allowed, "LOSS-5", f"{platform.name} heard {delivery_id} {count} times")
        for row in rows.values():
            if row.state == "sent" and row.outbound.target.channel == platform.name:
                findings.require(
                    heard[row.outbound.delivery_id] > 0,
                    "LOSS-5",
                    f"{row.outbound.delivery_id} is sent and was not heard",
                )
        for one in platform.heard:
            shadow.watchers.strangers.heard(platform.name, str(one.target.to), one.text)
            _check_chat(world, one.text, str(one.target.to), f"{platform.name}/{one.target.to}")


def _check_chat(world: World, text: str, to: str, where: str) -> None:
    """A reply quotes nobody but those whose chat it goes to."""
    for secret in find_marks(text, "s"):
        place = world.places[read_secret(world.story.setting, secret)]
        shares = owner_of(world.story.setting, place) == "main" or place.person in world.story.setting.linked
        if place.chat_id != to and not shares:
            world.findings.report(
                "LEAK-1", f"{where} heard {secret}, which was written in {place.channel}/{place.chat_id}"
            )


# --- money, repeats, a quiet restart ----------------------------------------------------------------------------------


def _check_ledger(world: World, lines: dict[SessionId, tuple[SessionKey, tuple[AnyEntry, ...]]]) -> None:
    """The ledger holds what the answers took, whatever became of their sessions (LOSS-11)."""
    said: Counter[str] = Counter()
    for session_id, (_key, entries) in lines.items():
        for entry in _own_lines(world, session_id, entries):
            message = entry.message if isinstance(entry, MessageEntry) else None
            if isinstance(message, AssistantMessage) and message.provider == PROVIDER and message.usage is not None:
                said[message.model] += message.usage.input + message.usage.output
    booked: Counter[str] = Counter()
    for row in read_now(world.inner.sum_usage()):
        booked[row.model] += row.input_tokens + row.output_tokens
    findings = world.findings
    spent = sum(row.cost_usd or 0.0 for row in read_now(world.inner.sum_usage()))
    counted = world.shadow.watchers.purse.spent
    findings.require(spent == counted, "COST-1", f"the ledger says that ${spent} were spent, not ${counted}")
    findings.require(booked == world.shadow.ledger, "LOSS-11", f"the ledger holds {booked}, not {world.shadow.ledger}")
    for model, tokens in said.items():
        # What answers took that went with somebody who was erased stays in the ledger.
        is_whole = booked[model] == tokens or (world.forgetting is not None and booked[model] > tokens)
        findings.require(is_whole, "LOSS-11", f"{model} took {tokens} tokens; the ledger says {booked[model]}")


async def _check_repeats(world: World) -> None:
    """Each message once more: the same words, and nothing happens."""
    before = len(world.shadow.rows)
    for sent in [sent for sent in world.book.sent.values() if not sent.is_erased]:
        await world.post.carry(sent, owner=owner_of(world.story.setting, sent.place))
    await world.loop.pass_time(1)
    world.findings.require(len(world.shadow.rows) == before, "LOSS-1", "a repeated message was stored once more")


async def _check_restart(world: World) -> None:
    """A start on a store that is at rest finds nothing to do and says nothing to anybody."""
    heard = sum(len(platform.heard) for platform in world.platforms.values())
    committed = world.shadow.commits
    world.life.stop()
    await world.loop.pass_time(30)
    await world.fetch_all()
    now = sum(len(platform.heard) for platform in world.platforms.values())
    world.findings.require(now == heard, "LOSS-5", f"a quiet restart sent {now - heard} replies once more")
    world.findings.require(world.shadow.commits == committed, "LOSS-4", "a quiet restart changed a session")
