"""Carrying out the steps of a story."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import replace
from typing import assert_never
from zoneinfo import ZoneInfo

from instar.core.delivery.redo import RedoAction
from instar.core.lifecycle.maintenance import CleanupOptions
from instar.core.model.change import Submission, TurnOptions
from instar.core.model.ids import AccountId, ChannelName, SessionKey, TurnId
from instar.core.model.message import Chat, Inbound, Sender
from instar.core.model.query import SessionQuery
from instar.core.model.view import NewSession
from instar.errors import NotFound, Unavailable
from instar.testing.simulate.book import Sent
from instar.testing.simulate.lives import Life
from instar.testing.simulate.posting import attempt
from instar.testing.simulate.story import (
    Again,
    Answer,
    Call,
    Configure,
    Crash,
    Erase,
    Falter,
    Fetch,
    Jump,
    Move,
    Operate,
    Passing,
    Refuse,
    Restart,
    Step,
    Ticks,
    Wait,
    Write,
    build_inbound,
    build_text,
    owner_of,
)
from instar.testing.simulate.world import World

__all__ = ["act"]

CLIENT = ChannelName("webchat")
"""What the RPC calls itself."""


async def act(world: World, step: Step) -> None:
    """Carry out one step; most only begin something, and time goes on at the next `Wait`."""
    match step:
        case Write():
            _write(world, step)
        case Again(number=number):
            if number in world.book.sent and not world.book.sent[number].is_erased:
                _send(world, world.book.sent[number])
        case Call():
            _call(world, step)
        case Operate():
            _operate(world, step)
        case Wait(seconds=seconds):
            await world.loop.pass_time(seconds)
        case Ticks(count=count):
            for _ in range(count):
                await asyncio.sleep(0)
        case Fetch():
            _fetch(world, step)
        case Answer():
            world.spawn(attempt(world.post, lambda life: _answer(world, life, step), world.findings, what=step.verb))
        case Erase(place=place):
            _erase(world, place)
        case _:
            _befall(world, step)


def _befall(world: World, step: Passing) -> None:
    """What befalls the gateway."""
    match step:
        case Jump(seconds=seconds):
            world.clock.jump(seconds)
        case Move(zone=zone):
            world.clock.set_zone(ZoneInfo(zone))
        case Crash():
            _crash(world, step)
        case Restart():
            if world.life.is_up:
                world.life.stop()
        case Refuse(seconds=seconds):
            world.watched.refuses_until_s = world.clock.monotonic() + seconds
        case Falter(channel=channel, faults=faults):
            world.platforms[ChannelName(channel)].faults.extend(faults)
        case Configure(queue_mode=mode):
            world.config = world.parse(replace(world.story.setting, queue_mode=mode).raw())
        case _:
            assert_never(step)


def _write(world: World, step: Write) -> None:
    place = world.places[step.place]
    inbound = build_inbound(step, place, setting=world.story.setting, now=world.clock.now())
    sent = Sent(number=step.number, place=place, step=step, submission=Submission(inbound=inbound))
    world.book.sent[step.number] = sent
    _send(world, sent, late_s=step.late_s)


def _call(world: World, step: Call) -> None:
    place = world.places[step.place]
    key = world.book.keys.get(owner_of(world.story.setting, place))
    if key is None:
        return
    name = f"m{step.number}"
    inbound = Inbound(
        channel=CLIENT,
        account_id=AccountId("default"),
        message_id=name,
        chat=Chat(type="direct", id="operator"),
        sender=Sender(id="operator"),
        text=build_text(step, world.story.setting),
        mentioned=True,
    )
    submission = Submission(
        inbound=inbound,
        session_key=key,
        may_command=True,
        is_owner=True,
        options=TurnOptions(deliver=step.deliver, queue_mode=step.queue_mode, timeout_ms=step.timeout_ms),
        run_id=TurnId(name),
    )
    sent = Sent(number=step.number, place=place, step=step, submission=submission)
    world.book.sent[step.number] = sent
    _send(world, sent)


def _send(world: World, sent: Sent, *, late_s: int = 0) -> None:
    world.spawn(world.post.carry(sent, owner=owner_of(world.story.setting, sent.place), late_s=late_s))


def _fetch(world: World, step: Fetch) -> None:
    name = ChannelName(step.channel)
    if world.platforms[name].capabilities.pulls:
        world.spawn(
            attempt(
                world.post,
                lambda life: life.channels[name].fetch(step.count, lost=step.lost),
                world.findings,
                what="fetch",
            )
        )


def _crash(world: World, step: Crash) -> None:
    life = world.life
    world.down_s, world.harm, world.again = step.down_s, step.harm, step.again
    life.fuse.will_haunt = step.ghost
    if step.steps:
        life.fuse.at = len(life.fuse.steps) + step.steps
        return

    async def die() -> None:
        for _ in range(step.ticks):
            await asyncio.sleep(0)
        if not life.is_dead and not world.is_over:
            life.die(ghost=step.ghost)

    world.spawn(die())


# --- operations -------------------------------------------------------------------------------------------------------


def _operate(world: World, step: Operate) -> None:
    key = world.book.keys.get(owner_of(world.story.setting, world.places[step.place]))
    if key is None:
        return
    operation = step.operation
    world.spawn(attempt(world.post, lambda life: _operation(world, life, step, key), world.findings, what=operation))


def _operation(world: World, life: Life, step: Operate, key: SessionKey) -> Awaitable[object]:
    sessions, upkeep, who = life.gateway.sessions, life.gateway.upkeep, "operator"
    match step.operation:
        case "abort":
            return sessions.abort(key, None, who=who)
        case "abort-run":
            return sessions.abort(key, next(iter(life.gateway.lanes.active_turn_ids(key)), None), who=who)
        case "reset" | "new":
            return sessions.reset(key, reason=step.operation, who=who)
        case "delete" | "delete-keep":
            return sessions.delete(key, delete_transcript=step.operation == "delete", who=who)
        case "compact" | "undo":
            return upkeep.compact(key, who=who, undo=step.operation == "undo")
        case "keep-lines":
            return upkeep.compact(key, who=who, keep_lines=3)
        case "restore":
            return life.gateway.keeping.restore(key, None, who=who)
        case "redo":
            return _redo(life, key, who=who, action="drop" if step.argument else "send")
        case "resume":
            return upkeep.resume(key, "", who=who)
        case "inject":
            return sessions.inject(key, "Injected.", label=None, who=who)
        case "patch-queue":
            return sessions.patch(key, {"queueMode": step.argument or None}, who=who)
        case "patch-send":
            return sessions.patch(key, {"sendPolicy": "deny" if step.argument else None}, who=who)
        case "create":
            return sessions.create(NewSession(key=key, label=None), who=who)
        case "list":
            return sessions.list(SessionQuery(), titles=True, last_messages=True)
        case "clean":
            return upkeep.clean(
                None,
                all_agents=True,
                trigger="cleanup-enforce" if world.story.setting.maintained else "cleanup",
                active_key=None,
                options=CleanupOptions(),
            )
        case _:
            assert_never(step.operation)


def _erase(world: World, at: int) -> None:
    if world.forgetting is not None:
        name = world.forgetting.name(world.places[at])
        work = attempt(
            world.post,
            lambda life: life.gateway.people.erase(name, drop_backups=True, who="operator"),
            world.findings,
            what="erase",
        )
        world.spawn(work)


async def _answer(world: World, life: Life, step: Answer) -> None:
    """Let the owner answer a code, as far as one waits."""
    desk = life.gateway.pairing
    if step.verb == "wrong":
        with contextlib.suppress(NotFound, Unavailable):
            await desk.approve("AAAABBBB", who="guesser")
            world.findings.report("LEAK-2", "a code that nobody was told lets somebody in")
        return
    pairings = await desk.load()
    if step.verb == "revoke":
        for one in pairings.approved[step.pick % max(1, len(pairings.approved)) :][:1]:
            peer = one.peer
            await desk.revoke(peer.peer_id, channel=peer.channel, account_id=peer.account_id, who="owner")
        return
    for code in pairings.waiting[step.pick % max(1, len(pairings.waiting)) :][:1]:
        await (desk.approve if step.verb == "approve" else desk.reject)(code.code, who="owner")


async def _redo(life: Life, key: SessionKey, *, who: str, action: RedoAction) -> None:
    """Decide about the newest reply of a session that nobody knows the fate of, or that failed."""
    keeping = life.gateway.keeping
    for row in await keeping.deliveries(("unknown", "failed"), key=key, limit=1):
        await keeping.redo(row.outbound.delivery_id, action, who=who)
