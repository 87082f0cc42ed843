"""The tables of `tests/conformance`, asked of a whole gateway: what is decided there is what happens here.

A row is left out where nobody could bring it about from outside: a message has a sender and comes from a configured
channel, time does not run back, and a store has no row that its own door would refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from instar.core.model.change import Submission
from instar.core.model.ids import AccountId, AgentId, ChannelName, Instant, SessionKey
from instar.core.model.instant import parse_iso
from instar.core.model.message import Chat, ChatType, Inbound, Sender
from instar.core.model.query import SessionQuery
from instar.core.model.view import NewSession
from instar.core.routing.normalize import normalize_channel, normalize_chat_type
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from tests.builders.stories import read_decisions, read_inbox, read_lines, sent_texts, story
from tests.conformance.ops_reset_freshness import ask_freshness

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"

CHAT_KEY = re.compile(r"agent:main:([a-z]+):(group|channel|direct|dm|room):([^:]+)(?::(?:thread|topic):(.+))?")

Case = Mapping[str, dict]


def rows(stem: str, wanted: Callable[[Case], bool]) -> list[object]:
    """The rows of a table that can be brought about from outside."""
    found = []
    for folder in ("vectors", "own"):
        cases = json.loads((CONFORMANCE / folder / f"{stem}.json").read_text(encoding="utf-8"))["cases"]
        found += [pytest.param(case, id=case["id"]) for case in cases if wanted(case)]
    return found


def open_doors(config: Mapping[str, object] | None, *channels: str) -> dict:
    """The configuration of a row with `channels` that let everybody in and wait for nobody."""
    opened = json.loads(json.dumps(config or {}))
    door = {"type": "bridge", "token": "t", "dmPolicy": "open", "groupPolicy": "open", "requireMention": False}
    written = opened.setdefault("channels", {})
    for name in {*channels, *written}:
        written[name] = {**door, **written.get(name, {})}
    return {**opened, "messages": {"queue": {"debounceMs": 0}}}


class Writer:
    """Somebody who writes to a gateway, always in the same chat."""

    def __init__(
        self, channel: str, *, kind: ChatType = "direct", chat: str = "42", sender: str = "", thread: str | None = None
    ) -> None:
        self._channel = ChannelName(channel)
        self._chat = Chat(type=kind, id=chat, thread_id=thread)
        self._sender = Sender(id=sender or chat)
        self._numbers = 0

    async def write(self, world: GatewayInMemory, text: str, *, account: str = "default") -> SessionKey:
        """The session that takes the message, when everything that follows from it is done."""
        self._numbers += 1
        inbound = Inbound(
            channel=self._channel,
            account_id=AccountId(account),
            message_id=f"m{self._numbers}",
            chat=self._chat,
            sender=self._sender,
            text=text,
            mentioned=True,
        )
        taken = await world.gateway.submit(Submission(inbound=inbound))
        await world.settle()
        return taken.session_key


async def life_of(world: GatewayInMemory, key: SessionKey) -> str:
    session = await world.store.load_session(key)
    assert session is not None
    return session.session_id


# --- session_keys.json: where a message goes --------------------------------------------------------------------------


def is_from_somebody(case: Case) -> bool:
    asked = case["input"]
    return case["op"] == "route" and bool((asked["channel"] or "").strip()) and bool(asked["peer"]["id"])


@pytest.mark.parametrize("case", rows("session_keys", is_from_somebody))
@story
async def test_a_message_goes_into_the_session_that_the_table_names(case):
    asked = case["input"]
    channel, agent, thread = normalize_channel(asked["channel"]), asked["agentId"], asked.get("threadId")
    config = open_doors(asked["config"], channel)
    if agent.strip():
        config["agents"] = {"list": [{"id": agent, "default": True}]}
    if "groupScope" in asked:
        match = {"channel": channel, "accountId": "*"}
        config["bindings"] = [{"agentId": agent, "match": match, "session": {"groupScope": asked["groupScope"]}}]
    kind = normalize_chat_type(asked["peer"]["kind"]) or "direct"
    chat = str(asked["peer"]["id"])
    writer = Writer(asked["channel"], kind=kind, chat=chat, thread=None if thread is None else str(thread))
    async with GatewayInMemory(config) as world:
        key = await writer.write(world, "hello", account=asked.get("accountId") or "")
        assert key == case["expect"]["sessionKey"]
        assert await life_of(world, key)


# --- reset_freshness.json: when a session starts over -----------------------------------------------------------------


def is_a_life(case: Case) -> bool:
    """Whether it began in a chat, was used while it lasted, and is asked now, in this order."""
    asked, entry = case["input"], case["input"]["entry"]
    begun, used = entry.get("sessionStartedAt"), entry.get("lastInteractionAt")
    moments = [parse_iso(moment or "") for moment in (begun, used, asked["now"])]
    if None in moments or moments != sorted(moments) or min(moments) < 0 or "cron" in asked.get("key", "").split(":"):
        return False
    return ask_freshness({**asked, "now": used, "entry": {**entry, "lastInteractionAt": begun}})["fresh"] is True


@pytest.mark.parametrize("case", rows("reset_freshness", is_a_life))
@story
async def test_a_session_starts_over_when_the_table_says_so(case):
    asked, expect = case["input"], case["expect"]
    found = CHAT_KEY.match(asked.get("key", ""))
    channel = normalize_channel(asked.get("channel") or (found[1] if found else "telegram"))
    kind = {"direct": "direct", "group": "group"}.get(
        expect["resetType"], "direct" if asked.get("isThread") else "group"
    )
    writer = Writer(channel, kind=kind, thread="7" if expect["resetType"] == "thread" else None)
    begun, used = (parse_iso(asked["entry"][name]) for name in ("sessionStartedAt", "lastInteractionAt"))
    clock = ManualClock(begun, zone=ZoneInfo(asked["tz"]))
    async with GatewayInMemory(open_doors(asked["config"], channel), clock=clock) as world:
        key = await writer.write(world, "begun")
        first = await life_of(world, key)
        clock.jump(used)
        await writer.write(world, "used")
        clock.jump(parse_iso(asked["now"]))
        await writer.write(world, "now")
        assert (await life_of(world, key) == first) is expect["fresh"]
        _, *closed = await world.store.load_transcripts(key)
        assert [head.close_reason for head in closed] == ([] if expect["fresh"] else [expect["staleReason"]])


# --- reset_commands.json: what starts a session over ------------------------------------------------------------------


def needs_no_model(case: Case) -> bool:
    """Whether it says something, and names none of the models that this world lacks."""
    patterns = case["input"].get("mentionPatterns", ())
    return bool(case["input"]["text"].strip()) and case["expect"]["model"] is None and "[" not in patterns


@pytest.mark.parametrize("case", rows("reset_commands", needs_no_model))
@story
async def test_a_command_starts_a_session_over_as_the_table_says(case):
    asked, expect = case["input"], case["expect"]
    config = open_doors({"session": {"dmScope": "per-peer", "resetTriggers": asked.get("resetTriggers")}}, "telegram")
    config["messages"]["groupChat"] = {"mentionPatterns": asked.get("mentionPatterns") or []}
    config["commands"] = {"allowFrom": ["bob"] if asked["authorized"] else ["boss"]}
    # Everybody who is let in may command in a direct chat; in a group, who is listed (LEAK-2).
    is_group = asked.get("isGroup") or not asked["authorized"]
    writer = Writer("telegram", kind="group" if is_group else "direct", chat="-5" if is_group else "bob", sender="bob")
    async with GatewayInMemory(config) as world:
        key = await writer.write(world, "hello")
        first = await life_of(world, key)
        await writer.write(world, asked["text"])
        assert (await life_of(world, key) != first) is (expect["mode"] == "new-session")
        decided = [row.decision.outcome for row in await read_decisions(world, key, kind="reset")]
        assert [outcome == "soft" for outcome in decided] == ([expect["mode"] == "soft"] if expect["reset"] else [])
        if expect["remainder"]:
            assert f"user: {expect['remainder']}" in await read_lines(world, key)


# --- send_policy.json: what may leave ---------------------------------------------------------------------------------


def is_a_chat(case: Case) -> bool:
    """Whether the key is one of a chat, and nothing but the key says so."""
    asked = case["input"]
    told = any(name in asked for name in ("entry", "channel", "chatType"))
    return case["op"] == "resolve" and not told and CHAT_KEY.fullmatch(asked.get("key") or "") is not None


@pytest.mark.parametrize("case", rows("send_policy", is_a_chat))
@story
async def test_an_answer_leaves_when_the_table_allows_it(case):
    channel, word, chat, thread = CHAT_KEY.fullmatch(case["input"]["key"]).groups()
    config = open_doors(case["input"]["config"], channel)
    config["session"] = {**config.get("session", {}), "dmScope": "per-channel-peer"}
    writer = Writer(channel, kind=normalize_chat_type(word), chat=chat, thread=thread)
    async with GatewayInMemory(config) as world:
        key = await writer.write(world, "hello")
        assert bool(sent_texts(world, channel)) is (case["expect"]["decision"] == "allow")
        assert len(await read_lines(world, key)) == 2


@pytest.mark.parametrize(
    "case", rows("send_policy", lambda case: case["op"] == "command" and bool(case["input"]["text"]))
)
@story
async def test_send_is_handled_as_the_table_says(case):
    asked, expect = case["input"], case["expect"]
    config = open_doors({"session": {"dmScope": "per-peer"}}, "telegram")
    config["commands"] = {"ownerAllowFrom": ["bob" if asked["isOwner"] else "boss"]}
    writer = Writer("telegram", chat="bob")
    async with GatewayInMemory(config) as world:
        key = await writer.write(world, "hello")
        before = len(sent_texts(world))
        await writer.write(world, asked["text"])
        *_, (_, state, _) = await read_inbox(world, key)
        assert state == (
            "answered" if not expect["handled"] else "refused" if expect["result"] == "ignored" else "command"
        )
        assert (len(sent_texts(world)) > before) is (state != "refused")
        session = await world.store.load_session(key)
        assert session.overrides.send_policy == {"allow": "allow", "deny": "deny"}.get(expect["result"])


# --- maintenance.json: what a store keeps -----------------------------------------------------------------------------


def is_a_store(case: Case) -> bool:
    """Whether its rows can be made by opening, pinning and archiving sessions, and are few."""
    entries = case["input"]["entries"]
    odd = {"modelLocked", "activeRun", "chatType"}
    return len(entries) <= 60 and all(
        not odd & set(entry)
        and entry.get("ageMs", -1) >= 0
        and 0 not in (entry.get("archivedAt"), entry.get("pinnedAt"))
        and entry["key"].startswith("agent:main:")
        and not {"dm", "room"} & set(entry["key"].split(":"))
        for entry in entries
    )


async def fill(world: GatewayInMemory, entries: list[dict], *, clock: ManualClock, now: int) -> None:
    """Make the rows, the oldest first, each at its own time."""
    for entry in sorted(entries, key=lambda entry: -entry["ageMs"]):
        clock.jump(now - entry["ageMs"])
        key = SessionKey(entry["key"])
        await world.gateway.sessions.create(NewSession(key=key), who="ann")
        for field, name in (("pinnedAt", "pinned"), ("archivedAt", "archived")):
            if entry.get(field) is not None:
                await world.gateway.sessions.patch(key, {name: True}, who="ann")


@pytest.mark.parametrize("case", rows("maintenance", is_a_store))
@story
async def test_a_cleanup_removes_what_the_table_names(case):
    asked, expect = case["input"], case["expect"]
    config = open_doors(asked["config"])
    endless = {"mode": "warn", "maxEntries": 10**6, "pruneAfter": "9999d", "archiveDashboardAfter": False}
    clock = ManualClock(Instant(asked["now"]))
    quiet = {**config, "session": {**config.get("session", {}), "maintenance": endless}}
    async with GatewayInMemory(quiet, clock=clock) as world:
        await fill(world, asked["entries"], clock=clock, now=asked["now"])
        clock.jump(asked["now"])
        # What a write of a row would have set off is over before the settings count.
        await world.run_for(0)
        world.configure(config)
        active = asked.get("activeKey")
        report = await world.gateway.maintenance.clean(
            AgentId("main"), trigger=asked["trigger"], active_key=None if active is None else SessionKey(active)
        )
        steps = {"prune-probe": "modelRunPruned", "prune-stale": "stale", "cap-overflow": "capped"}
        for action, name in steps.items():
            assert sorted(report.plan.keys_of(action)) == sorted(expect[name])
        left = await world.store.list_sessions(SessionQuery(archived=None, limit=None))
        assert len(left.sessions) == expect["remainingCount"]
