"""Every method by scopes, by whose token and by whose session, over WebSocket and HTTP (LEAK-3, LEAK-4, LEAK-5).

What is expected comes from `tests.builders.matrix`, which states the rule apart from the code. A request that may not
be served has to look like one for something that is not there, word for word; one that may be is answered, or fails for
a reason of its own.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count, product
from typing import Any

import pytest

from instar.api.attempts import SENDING
from instar.core.model.ids import Instant
from instar.protocol.methods import METHODS
from tests.builders.matrix import CALLERS, RULES, Target, expect
from tests.builders.town import open_town
from tests.builders.wire import open_client, run_story

RELATIONS = ("own", "member", "stranger", "main")
NOWHERE = Target(
    relation="nowhere",
    key="agent:main:dashboard:ffffffff-ffff-4fff-8fff-ffffffffffff",
    session_id="eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee",
    label="a-label-that-nothing-has",
    run_id="a-run-that-never-was",
    turn_id="dddddddd-dddd-4ddd-8ddd-dddddddddddd",
    inbound_id="cccccccc-cccc-4ccc-8ccc-cccccccccccc",
    canary="canary-of-nothing",
)
NAMES = ("key", "session_id", "label", "run_id", "turn_id", "inbound_id", "canary")
SOCKET_ONLY = {"sessions.subscribe", "sessions.messages.subscribe", "sessions.messages.unsubscribe"}
GONE = ("There is no session", "no session found")


def test_every_method_has_a_row_and_asks_for_the_scope_that_the_rule_names():
    assert not [name for name in METHODS if name not in RULES], "give them a row in tests/builders/matrix.py"
    assert RULES.keys() == METHODS.keys(), "a row without a method holds nothing"
    assert METHODS.keys() > SENDING
    wrong = {name for name, method in METHODS.items() if method.scope != f"operator.{RULES[name].scope}"}
    assert wrong == set()


class Desk:
    """Asks as every caller, and makes sessions to ask about."""

    def __init__(self, town, stack):
        self.town = town
        self.stack = stack
        self.sockets = {}
        self.tokens = {}
        self.targets = {}
        self.fresh = count(1)

    async def open(self):
        enter = self.stack.enter_async_context
        self.owner = await enter(self.town.client())
        self.alice = await enter(self.town.client("alice"))
        self.bob = await enter(self.town.client("telegram:bob"))
        for caller in CALLERS:
            token = await self.town.token(caller.person, *(caller.scopes or ("read",)))
            asked = None if caller.scopes else []
            self.tokens[caller] = token
            self.sockets[caller] = await enter(open_with(self.town, token, asked))

    async def target(self, relation):
        if relation not in self.targets:
            self.targets[relation] = await self.make(relation)
        return self.targets[relation]

    async def make(self, relation):
        number = next(self.fresh)
        match relation:
            case "own":
                key = (await self.alice.ask("sessions.create"))["key"]
            case "stranger":
                key = (await self.bob.ask("sessions.create"))["key"]
            case "member":
                key = f"agent:main:telegram:group:g{number}"
                await self.town.post("hello", sender="bob", group=f"g{number}")
                members = ["telegram:ann", "telegram:bob"]
                await self.town.world.store.owners.report_members(key, members, now=Instant(number))
            case _:
                key = "agent:main:main"
                await self.owner.ask("chat.send", {"sessionKey": key, "message": "hi", "idempotencyKey": f"m{number}"})
        canary, run_id = f"canary-of-{relation}-{number}", f"run-of-{relation}-{number}"
        await self.owner.ask("chat.send", {"sessionKey": key, "message": canary, "idempotencyKey": run_id})
        await self.town.world.settle()
        label = f"label-of-{relation}-{number}"
        entry = (await self.owner.ask("sessions.patch", {"key": key, "label": label}))["entry"]
        rows = (await self.owner.ask("sessions.explain", {"key": key}))["rows"]
        return Target(
            relation=relation,
            key=key,
            session_id=entry["sessionId"],
            label=label,
            run_id=run_id,
            turn_id=next(row["turnId"] for row in rows if row["turnId"]),
            inbound_id=next(row["inboundId"] for row in rows if row["inboundId"]),
            canary=canary,
        )

    async def ask(self, transport, caller, method, params):
        """The response frame."""
        params = {name: self.fill(value) for name, value in params.items()}
        if transport == "ws":
            return await self.sockets[caller].call(method, params)
        body = json.dumps({"method": method, "params": params})
        status, frame = await asyncio.to_thread(post, self.town.server.port, self.tokens[caller], body)
        assert (status == 200) is frame["ok"]
        return frame

    def fill(self, value: Any) -> Any:
        return value.replace("{fresh}", f"fresh-{next(self.fresh)}") if isinstance(value, str) else value


def open_with(town, token, scopes):
    return open_client(town.server, auth={"token": token}, scopes=scopes)


def post(port, token, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/rpc", body=body, headers=headers)
    answer = connection.getresponse()
    frame = json.loads(answer.read())
    connection.close()
    return answer.status, frame


def masked(frame, target):
    """The answer without its id, the names of the target, and numbers that pass with time."""
    text = json.dumps({name: value for name, value in frame.items() if name != "id"}, sort_keys=True)
    for name in NAMES:
        text = text.replace(getattr(target, name), f"<{name}>").replace(getattr(target, name)[:12], f"<{name}>")
    return re.sub(r"\d+", "#", text)


async def check(desk, method, transport, caller, relation):
    """Hold every way to ask against what the rule says."""
    rule = RULES[method]
    expected = expect(rule, caller, relation)
    target = await desk.target(relation) if rule.about != "everybody" else NOWHERE
    for at, params in enumerate(rule.ask(target)):
        where = (method, transport, caller.name, relation, params)
        frame = await desk.ask(transport, caller, method, params)
        code = None if frame["ok"] else frame["error"]["code"]
        text = json.dumps(frame)
        assert "internal error" not in text, where
        if expected == "forbidden":
            assert code == "FORBIDDEN", where
            assert frame["error"]["details"]["code"] == "MISSING_SCOPE", where
        elif expected == "hidden":
            nothing = await desk.ask(transport, caller, method, rule.ask(NOWHERE)[at])
            assert masked(frame, target) == masked(nothing, NOWHERE), where
            assert target.canary not in text, where
        else:
            assert code != "FORBIDDEN", (where, frame)
            assert not any(word in text for word in GONE), (where, frame)
            check_parts(desk, rule, caller, text, where)
            if rule.scope != "read":
                desk.targets.pop(relation, None)
                target = await desk.target(relation) if at + 1 < len(rule.ask(target)) else target


def check_parts(desk, rule, caller, text, where):
    """What is no answer about one session holds nothing of others'."""
    if rule.about == "one session" or caller.person is None or "admin" in caller.scopes:
        return
    for relation in ("stranger", "main"):
        other = desk.targets.get(relation)
        for name in ("key", "session_id", "label", "canary") if other else ():
            assert getattr(other, name) not in text, (where, relation, name)


@pytest.mark.parametrize("method", METHODS)
def test_the_gate_answers_as_the_rule_says(method):
    async def story():
        async with open_town() as town, AsyncExitStack() as stack:
            desk = Desk(town, stack)
            await desk.open()
            rule = RULES[method]
            if rule.about == "own part":
                for relation in RELATIONS:
                    await desk.target(relation)
            relations = RELATIONS if rule.about == "one session" else ("none",)
            for transport, caller, relation in product(("ws", "http"), CALLERS, relations):
                if transport == "http" and (not caller.scopes or method in SOCKET_ONLY):
                    continue
                await check(desk, method, transport, caller, relation)

    run_story(story)


@pytest.mark.parametrize("method", ["sessions.list", "sessions.search", "status", "health"])
def test_the_owner_sees_what_persons_do_not(method):
    """Without this the matrix would be content with methods that show nothing to anybody."""

    async def story():
        async with open_town() as town, AsyncExitStack() as stack:
            desk = Desk(town, stack)
            await desk.open()
            for relation in RELATIONS:
                await desk.target(relation)
            params = {"query": "canary"} if method == "sessions.search" else {}
            seen = {}
            for caller in CALLERS:
                if caller.scopes & {"read", "write", "admin"}:
                    text = json.dumps(await desk.ask("ws", caller, method, params))
                    seen[caller] = {relation for relation in RELATIONS if desk.targets[relation].key in text}
            for caller, relations in seen.items():
                sees_all = caller.person is None or "admin" in caller.scopes
                assert relations == (set(RELATIONS) if sees_all else {"own", "member"}), caller.name

    run_story(story)


def test_the_rule_is_not_content_with_everything():
    """The check itself finds a leak: an answer about somebody's session is not like one about none."""
    real = replace(NOWHERE, relation="stranger", key="agent:main:dashboard:1", canary="canary-1")
    shown = {"id": "1", "ok": True, "payload": {"key": real.key, "messages": [real.canary]}}
    hidden = {"id": "2", "ok": False, "error": {"message": f"There is no session {NOWHERE.key}"}}
    assert masked(shown, real) != masked(hidden, NOWHERE)
