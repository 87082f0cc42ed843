"""A crash at every step of a conversation, one after the other: nothing is lost, nothing is done twice (LOSS-1…5).

The same conversation is played again and again. In the n-th play everything stands still at the n-th step: before or
after a commit, in the middle of an answer, before or after a tool has run, between a send and its receipt. The gateway
is dropped and started on the same rows, senders repeat what was not acknowledged, and the rest is played to its end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest

from instar.core.model.entry import (
    AssistantMessage,
    MessageEntry,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.query import SessionQuery
from instar.core.transcript.text import message_text
from instar.ports.tool import ToolOutput, ToolSpec
from instar.testing.fuse import Fuse
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Reply, call
from tests.builders.stories import DIRECT, build_config, play_story, read_decisions

CLUB = "agent:main:telegram:group:club"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Message:
    """What somebody writes; `words` are those that must stand in a transcript, if any must."""

    id: str
    text: str
    words: str | None
    sender: str = "ann"
    group: bool = False
    mentioned: bool = False
    fate: frozenset[str] = frozenset({"answered", "merged"})


PHASES = [
    # A tool turn, with a message that steers or follows, as it happens.
    [Message("m1", "look at it", "look at it"), Message("m2", "and hurry", "and hurry")],
    # A turn that is stopped, or had ended before.
    [
        Message("m3", "a long one", "a long one"),
        Message("m4", "/stop", None, fate=frozenset({"command"})),
    ],
    [Message("m5", "/new tell me", "tell me")],
    # A group: context first, then the message that wakes the agent.
    [
        Message("g1", "between us", None, sender="bob", group=True, fate=frozenset({"observed"})),
        Message("g2", "@bot hi", "@bot hi", sender="cid", group=True, mentioned=True),
    ],
    # The next day: the session starts over by itself.
    [Message("m6", "good morning", "good morning"), Message("m7", "look again", "look again")],
]


class Look:
    """A tool that remembers each call it was given."""

    spec = ToolSpec(name="look", description="Look.", parameters={"type": "object"})

    def __init__(self):
        self.ran = Counter()

    async def call(self, context, arguments):
        self.ran[context.turn_id, context.call_id] += 1
        return ToolOutput(content=(TextBlock(text=f"seen by {context.call_id}"),))


def script(asked):
    """Looks twice when asked to look; else answers the newest words."""
    if asked.last.role != "tool" and asked.last_user_text.split("] ")[-1].startswith("look"):
        return Reply(text="Looking.", calls=(call("look", at=1), call("look", at=2)))
    return Reply(text=f"Re: {asked.last_user_text.split('] ')[-1]}", chunks=2)


def build_world(fuse):
    look = Look()
    world = GatewayInMemory(build_config(), runner=ScriptedRunner(script), tools={"look": look}, fuse=fuse)
    return world, look


async def first(world, work):
    """The result of `work`, or None when the fuse has blown before."""
    task, blown = asyncio.ensure_future(work), asyncio.ensure_future(world.fuse.blown.wait())
    await asyncio.wait({task, blown}, return_when=asyncio.FIRST_COMPLETED)
    blown.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return None


async def post(world, message):
    """Post until it is acknowledged, as a platform or a bridge does."""
    chat = {"chat_type": "group", "chat_id": "club"} if message.group else {}
    while True:
        told = await first(
            world,
            world.channel("telegram").post(
                message.text,
                sender=message.sender,
                message_id=message.id,
                mentioned=message.mentioned,
                **chat,
            ),
        )
        if told is not None:
            return told
        await restart(world)


async def settle(world):
    """Let everything come to rest, over a crash if there is one."""
    while await first(world, _settled(world)) is None:
        await restart(world)


async def restart(world):
    """Start the gateway on the same rows; where a fuse waits in `world.later`, the next life has that, and may die of
    it before it has begun.
    """
    while True:
        fuse = world.later.pop(0) if world.later else Fuse()
        starting = asyncio.ensure_future(world.restart(kill=True, fuse=fuse))
        dying = asyncio.ensure_future(fuse.blown.wait())
        await asyncio.wait({starting, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if starting.done():
            return starting.result()
        fuse.kill()
        starting.cancel()
        await asyncio.wait({starting})


async def _settled(world):
    await world.settle()
    return True


async def play(world):
    """The whole conversation."""
    told = {}
    for number, phase in enumerate(PHASES):
        if number == len(PHASES) - 1:
            world.clock.jump(world.clock.now() + DAY_MS)
        for message in phase:
            told[message.id] = await post(world, message)
        await settle(world)
    return told


# --- what must be true ------------------------------------------------------------------------------------------------


async def load_transcripts(world):
    """Every transcript with its key and entries."""
    found = []
    for session in (await world.store.list_sessions(SessionQuery(limit=None))).sessions:
        for head in await world.store.load_transcripts(session.key):
            page = await world.store.load_all_entries(head.session_id)
            found.append((session.key, [stored.entry for stored in page.entries]))
    return found


def check_tree(entries):
    """Each parent exists, each call has one result, each result follows its call."""
    seen, open_calls = set(), []
    for entry in entries:
        assert entry.parent_id is None or entry.parent_id in seen
        assert entry.id not in seen
        seen.add(entry.id)
        if not isinstance(entry, MessageEntry):
            continue
        if isinstance(entry.message, ToolResultMessage):
            assert entry.message.tool_call_id in open_calls
            open_calls.remove(entry.message.tool_call_id)
        elif isinstance(entry.message, AssistantMessage):
            open_calls += [block.id for block in entry.message.content if isinstance(block, ToolCall)]
    assert open_calls == []


async def check(world, look, told):
    transcripts = await load_transcripts(world)
    rows = [row for key in (DIRECT, CLUB) for row in await world.store.load_inbox(session_key=key, limit=1000)]
    messages = {message.id: message for phase in PHASES for message in phase}
    # Every message was taken once, ended once, and in a way that it may end.
    assert sorted(row.submission.inbound.message_id for row in rows) == sorted(messages)
    for row in rows:
        message = messages[row.submission.inbound.message_id]
        assert row.inbound_id == told[message.id].inbound_id
        assert row.state in message.fate, (message.id, row.state, row.reason)
        assert row.ended_at is not None
    # Its words are in a transcript of its own session, once.
    spoken = Counter(
        (key, message_text(entry.message))
        for key, entries in transcripts
        for entry in entries
        if isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage)
    )
    wanted = Counter(
        (CLUB if message.group else DIRECT, message.words) for message in messages.values() if message.words is not None
    )
    assert spoken == wanted
    for _key, entries in transcripts:
        check_tree(entries)
        assert isinstance(entries[-1].message, AssistantMessage)
    # No tool ran twice for one call.
    assert all(times == 1 for times in look.ran.values()), look.ran
    # Each answer is in a transcript once and owed once; only a reply in doubt was sent twice.
    answers = Counter(
        message_text(entry.message)
        for _key, entries in transcripts
        for entry in entries
        if isinstance(entry, MessageEntry)
        and isinstance(entry.message, AssistantMessage)
        and entry.message.stop_reason in {"stop", "toolUse"}
    )
    assert all(times == 1 for text, times in answers.items() if text.startswith("Re: ")), answers
    owed = await world.store.load_deliveries(limit=1000)
    assert {row.state for row in owed} == {"sent"}
    replies = Counter(row.outbound.text.split("\n\n")[-1] for row in owed)
    replies.pop("Stopped.", None)
    replies.pop("Nothing was running.", None)
    assert replies == answers
    sent = Counter(one.delivery_id for one in world.channel("telegram").sent)
    doubted = [row for row in await read_decisions(world, None, kind="deliver") if row.decision.outcome == "send_again"]
    assert set(sent) == {row.outbound.delivery_id for row in owed}
    assert sum(sent.values()) - len(sent) <= len(doubted)
    # The reset of the last day was explained, announced once, and what came before it is still there.
    notices = [row for row in owed if row.outbound.text.startswith("New session (daily reset")]
    assert len(notices) == 1
    assert sorted(key for key, _ in transcripts) == [DIRECT, DIRECT, DIRECT, CLUB]


async def play_and_check(at, *, second=None):
    """One play that dies at a step after its start, and perhaps at one of its second life; the number of steps up to
    the first crash, None when it never came to that.
    """
    fuse = Fuse()
    world, look = build_world(fuse)
    world.later = [] if second is None else [Fuse(at=second)]
    async with world:
        fuse.at = None if at is None else len(fuse.steps) + at
        told = await play(world)
        try:
            await check(world, look, told)
        except AssertionError as error:
            error.add_note(f"after a crash at step {at} ({fuse.steps[-1:]}), second {second}")
            raise
    return len(fuse.steps) if fuse.has_blown else None


def test_the_conversation_itself_is_as_it_should_be():
    play_story(play_and_check(None))


@pytest.mark.timeout(180)
def test_a_crash_at_any_step_loses_nothing_and_does_nothing_twice():
    async def every_step():
        at = 0
        while await play_and_check(at + 1) is not None:
            at += 1
        assert at > 100

    play_story(every_step())


@pytest.mark.timeout(180)
@pytest.mark.parametrize("second", [1, 2, 4, 7, 11, 16])
def test_a_second_crash_during_the_recovery_changes_nothing(second):
    async def some_steps():
        for at in range(1 + second % 5, 130, 5):
            await play_and_check(at, second=second)

    play_story(some_steps())


@pytest.mark.parametrize("step", ["before recover", "after recover"])
def test_deaths_in_one_start_after_the_other_change_nothing(step):
    async def some_steps():
        for at in range(3, 130, 25):
            fuse = Fuse()
            world, look = build_world(fuse)
            deaths = [Fuse(on=step) for _ in range(3)]
            world.later = [*deaths]
            async with world:
                fuse.at = len(fuse.steps) + at
                told = await play(world)
                await check(world, look, told)
            assert all(death.has_blown for death in deaths)

    play_story(some_steps())
