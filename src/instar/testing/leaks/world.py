"""A gateway in memory with everything that leaves it under watch, and clients of the people in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instar.api.attempts import Attempts
from instar.api.call import Services
from instar.api.connection import Connection
from instar.api.dispatch import Dispatcher
from instar.api.hub import Hub
from instar.api.settings import Limits
from instar.core.model.caller import Caller
from instar.core.model.entry import ToolCall
from instar.core.model.message import Outbound
from instar.core.model.query import DecisionQuery
from instar.core.policy.scopes import OWNER_SCOPES, READ, WRITE
from instar.protocol.frames import Request
from instar.protocol.version import NEWEST
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.leaks.people import Cast, Circle, Person, Words
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Asked, Reply
from instar.testing.simulate.dice import Dice
from instar.tools.session_status import SessionStatusTool

__all__ = ["Client", "LeakWorld"]

DECISIONS_MAX = 5_000


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """A client of one person, or of the owner (None), and every frame that it was sent."""

    person: Person | None
    connection: Connection
    frames: list[bytes] = field(default_factory=list)


class LeakWorld:
    """The gateway, its clients, and the findings: one sentence for each word where it must not be."""

    def __init__(self, cast: Cast, dice: Dice) -> None:
        self.cast = cast
        self.words = Words(dice)
        self.findings: list[str] = []
        self.circles: dict[str, Circle] = {}
        """The circle of each session key, as the first words in it said."""
        self.members: dict[str, set[str]] = {}
        """The people who have written in each group."""
        self._dice = dice
        self._runner = ScriptedRunner(self._answer)
        self._status = SessionStatusTool()
        clock = ManualClock()
        self.world = GatewayInMemory(
            cast.config, runner=self._runner, clock=clock, tools={self._status.spec.name: self._status}
        )
        self.clients: list[Client] = []
        self.requests = 0
        self._sent: dict[str, int] = {}
        self._hub: Hub
        self._telling: asyncio.Task[None] | None = None
        self._dispatcher: Dispatcher

    # --- building -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect the clients: the owner's, and one for each person. The gateway runs, for the first time or again."""
        self.close()
        gateway = self.world.gateway
        self._status.connect(
            gateway.status_facts, lambda asker, key, since: gateway.sessions.changes(asker, key, since=since)
        )
        services = Services(gateway=gateway, clock=self.world.clock, ids=self.world.ids)
        self._hub = Hub(self.world.clock, Limits(), gateway.owners)
        self._dispatcher = Dispatcher(services, Attempts(Limits(), clock=self.world.clock))
        gateway.events.subscribe(self._hub.listen)
        self._telling = asyncio.get_running_loop().create_task(self._hub.run())
        self.clients = [self._connect(None), *(self._connect(person) for person in self.cast.people)]

    def close(self) -> None:
        """Tell the clients no more."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def settle(self) -> None:
        """Wait until nothing more would leave the gateway by itself."""
        await self.world.settle()
        await self._hub.flush()

    def _connect(self, person: Person | None) -> Client:
        scopes = OWNER_SCOPES if person is None else frozenset({READ, WRITE})
        principal = None if person is None else person.principal
        connection = Connection(
            f"client-{principal}",
            caller=Caller(scopes=scopes, principal=principal, token_id=principal, client="canary"),
            protocol=NEWEST,
            caps=frozenset({"tool-events"}),
            buffer_max_bytes=1 << 30,
            write=_write_nothing,
            abort=lambda: None,
        )
        client = Client(person=person, connection=connection)
        connection.send = client.frames.append  # type: ignore[assignment, method-assign]  # what would go to the socket
        self._hub.add(connection)
        return client

    # --- doing --------------------------------------------------------------------------------------------------------

    async def ask(self, client: Client, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request of a client; its answer is watched like every frame."""
        self.requests += 1
        request = Request(type="req", id=str(self.requests), method=method, params=dict(params))
        answer = await self._dispatcher.answer(client.connection, request)
        client.frames.append(answer)
        frame: dict[str, Any] = json.loads(answer)
        if not frame["ok"] and "internal error" in frame["error"]["message"]:
            self.findings.append(f"a defect: {method} {json.dumps(params)[:300]}")
        return frame

    def _answer(self, asked: Asked) -> Reply:
        """A model that repeats all it was told, and asks tools about sessions that are not its own."""
        heard = "\n".join(one.text for one in asked.spoken if one.role != "assistant")
        if asked.tools and self._dice.chance(25) and asked.spoken[-1].role != "tool":
            key = self._dice.pick([*self.circles, "agent:main:main", "main"])
            arguments: dict[str, object] = {"sessionKey": key} | ({"changesSince": 0} if self._dice.chance(50) else {})
            return Reply(
                calls=(ToolCall(id=f"c{self._dice.below(1 << 30)}", name="session_status", arguments=arguments),)
            )
        return Reply(text=f"I heard: {heard[-4000:]}", chunks=1)

    # --- watching -----------------------------------------------------------------------------------------------------

    def may_see(self, person: Person) -> set[Circle]:
        """The circles whose words a person's client may be told."""
        mine: set[Circle] = {("mine", person.name)}
        return mine | {("among", group) for group, people in self.members.items() if person.name in people}

    def look(self) -> None:
        """Look at all that has left since the last look."""
        for request in self._runner.requests:
            text = request.system + "\n".join(map(str, request.messages))
            self._one_circle(request.session_key, text, where="a model request")
        self._runner.requests.clear()
        for name in self.world.config.channels:
            sent = self.world.channel(name).sent
            for outbound in sent[self._sent.get(name, 0) :]:
                self._look_at_reply(outbound)
            self._sent[name] = len(sent)
        for client in self.clients:
            if client.person is not None:
                self._look_at_frames(client, client.person)
            client.frames.clear()

    def _one_circle(self, key: str, text: str, *, where: str) -> None:
        for circle, word in self.words.found_in(text).items():
            known = self.circles.setdefault(key, circle)
            if known != circle:
                self.findings.append(f"{word} of {circle} is in {where} of {key}, which is of {known}")

    def _look_at_reply(self, outbound: Outbound) -> None:
        target = outbound.target
        if target.chat_type == "direct":
            person = next(
                one for one in self.cast.people for address in one.addresses if address == (target.channel, target.to)
            )
            # A docked session answers at another address of the same person, whichever agent serves that channel.
            allowed = {self.cast.direct_circle(person, channel) for channel, _ in person.addresses}
            allowed.add(("mine", person.name))
        else:
            allowed = {("among", f"{target.channel} {target.to}")}
        for circle, word in self.words.found_in(outbound.text).items():
            if circle not in allowed:
                self.findings.append(f"{word} of {circle} was sent to {target.channel} {target.to}")

    def _look_at_frames(self, client: Client, person: Person) -> None:
        allowed = self.may_see(person)
        for frame in client.frames:
            for circle, word in self.words.found_in(frame.decode()).items():
                if circle not in allowed:
                    self.findings.append(f"{word} of {circle} was told to the client of {person.name}: {frame[:300]!r}")

    async def look_at_rows(self) -> None:
        """Look at what was recorded: decisions hold no words but those of the session that they are about."""
        for row in await self.world.store.load_decisions(DecisionQuery(limit=DECISIONS_MAX)):
            key, text = row.session_key or "", str(row.decision)
            for circle, word in self.words.found_in(text).items():
                if self.circles.get(key) != circle:
                    self.findings.append(
                        f"{word} of {circle} is in a decision about {key or 'no session'}: {text[:200]}"
                    )


async def _write_nothing(frame: bytes) -> None:
    """Frames are taken before they would be written."""
