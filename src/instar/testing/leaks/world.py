"""A gateway in memory with everything that leaves it under watch, and clients of the people in it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from instar.api.attempts import Attempts
from instar.api.call import Services
from instar.api.connection import Connection
from instar.api.dispatch import Dispatcher
from instar.api.hub import Hub
from instar.api.settings import Limits
from instar.config.config import Config, parse_config
from instar.core.model.caller import Caller
from instar.core.model.entry import ToolCall
from instar.core.model.message import Outbound
from instar.core.policy.scopes import OWNER_SCOPES, READ, WRITE
from instar.core.routing.key import main_session_key
from instar.protocol.frames import Request
from instar.protocol.version import NEWEST, OLDEST
from instar.stores.erasing.files import EXPORTS
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.seals import Seals
from instar.stores.store import SessionStore
from instar.system.log_tail import FileLog
from instar.system.workspace import SealNote
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.leaks.disk import LOG, Disk
from instar.testing.leaks.image import Rows
from instar.testing.leaks.people import Cast, Circle, Person, Words
from instar.testing.leaks.rows import look_at_rows
from instar.testing.leaks.tools import Tools, draw_arguments
from instar.testing.runner import SCRIPTED_MODEL, ScriptedRunner
from instar.testing.script import Asked, Reply
from instar.testing.simulate.dice import Dice

__all__ = ["Client", "LeakWorld"]

NEVER_S: Final = 1e12
"""No tick within any script: a tick holds no words, and there would be thousands."""

ANSWER_S: Final = 60.0
"""Real seconds for one answer; the clock of a script stands still, so one that waits for it would hang. A machine with
much other work has kept one waiting for 20 that came at once whenever the script was played again.
"""


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """A client of one person, or of the owner (None), and every frame that it was sent."""

    person: Person | None
    connection: Connection
    frames: list[bytes] = field(default_factory=list)
    may_write: bool = True


class LeakWorld:
    """The gateway, its clients, and the findings: one sentence for each word where it must not be."""

    def __init__(self, cast: Cast, dice: Dice, *, seed: int) -> None:
        self.seed = seed
        self.cast = cast
        self.words = Words(dice)
        for person in cast.people:
            self.words.introduce(person, ("mine", person.name))
        self.findings: list[str] = []
        self.circles: dict[str, Circle] = {}
        """The circle of each session key, as the first words in it said."""
        self.members: dict[str, set[str]] = {}
        """The people who have written in each group."""
        self._dice = dice
        self._runner = ScriptedRunner(self._answer)
        self.disk = Disk(dice)
        clock = ManualClock()
        raw = _add_encryption(cast, self.disk.master_key)
        config = parse_config(raw, env={}, state_dir=self.disk.state, home=self.disk.root)
        seals = load_seals(config)
        self._tools = Tools(clock, lambda agent_id: Path(config.workspace(agent_id)), seal=_seal_notes(config, seals))
        assert config.store.path is not None  # noqa: S101 - no script has PostgreSQL
        rows = self._rows = Rows(config.store.path, seals=seals)
        self._store = SessionStore(rows)
        self.world = GatewayInMemory(
            raw,
            runner=self._runner,
            clock=clock,
            tools=self._tools.in_turns,
            model=replace(SCRIPTED_MODEL, context_window=cast.window_tokens),
            store=self._store,
            state_dir=self.disk.state,
            arm=lambda parts: replace(
                self.disk.arm(parts, self.world.config, self._store, rows), note_tool=self._tools.note
            ),
        )
        self.clients: list[Client] = []
        self.helper: Client
        """A program that sees every session and may not do what only an owner may: its token lacks the scope."""
        self.requests = 0
        self.called: Counter[str] = Counter()
        """How often the model has called each tool."""
        self.guessed: set[str] = set()
        """Ids that the model made up an argument of: nobody but it has told them."""
        self._sent: dict[str, int] = {}
        self._hub: Hub
        self._telling: asyncio.Task[None] | None = None
        self._dispatcher: Dispatcher

    # --- building -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect the clients: the owner's, and one for each person. The gateway runs, for the first time or again."""
        self.close()
        gateway = self.world.gateway
        self._tools.connect(gateway)
        logs = FileLog(self.disk.state / LOG)
        services = Services(gateway=gateway, clock=self.world.clock, ids=self.world.ids, logs=logs)
        limits = Limits(tick_interval_s=NEVER_S)
        self._hub = Hub(self.world.clock, limits, gateway.owners)
        self._dispatcher = Dispatcher(services, Attempts(limits, clock=self.world.clock))
        gateway.events.subscribe(self._hub.listen)
        self._telling = asyncio.get_running_loop().create_task(self._hub.run())
        self.clients = [self._connect(None), *(self._connect(person) for person in self.cast.people)]
        self.helper = self._connect(None, scopes=frozenset({READ, WRITE}))

    def close(self) -> None:
        """Tell the clients no more."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def settle(self) -> None:
        """Wait until nothing more would leave the gateway by itself."""
        await self.world.settle()
        await self._hub.flush()

    def _connect(self, person: Person | None, *, scopes: frozenset[str] = OWNER_SCOPES) -> Client:
        may_write = self._dice.chance(80)
        if person is not None:
            scopes = frozenset({READ, WRITE} if may_write else {READ})
        principal = None if person is None else person.principal
        connection = Connection(
            f"client-{principal}",
            caller=Caller(scopes=scopes, principal=principal, token_id=principal, client="canary"),
            protocol=self._dice.pick([OLDEST, NEWEST]),
            caps=frozenset({"tool-events"}),
            buffer_max_bytes=1 << 30,
            write=_write_nothing,
            abort=lambda: None,
        )
        client = Client(person=person, connection=connection, may_write=may_write)
        connection.send = client.frames.append  # type: ignore[assignment, method-assign]  # what would go to the socket
        self._hub.add(connection)
        return client

    # --- doing --------------------------------------------------------------------------------------------------------

    async def ask(self, client: Client, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request of a client; its answer is watched like every frame."""
        self.requests += 1
        request = Request(type="req", id=str(self.requests), method=method, params=dict(params))
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._dispatcher.answer(client.connection, request)
        except TimeoutError:
            self.findings.append(f"no answer to {method} {json.dumps(params)[:300]}")
            return {"ok": False}
        frame: dict[str, Any] = json.loads(answer)
        self._look_at_frame(client, answer, asked=json.dumps(params))
        if not frame["ok"] and "internal error" in frame["error"]["message"]:
            self.findings.append(f"a defect: {method} {json.dumps(params)[:300]}")
        return frame

    def _answer(self, asked: Asked) -> Reply:
        """A model that repeats all it was told, and asks tools about sessions that are not its own."""
        heard = "\n".join(one.text for one in asked.spoken if one.role != "assistant")
        note = self._tools.note.spec.name
        # In a silent turn it writes down what it has heard, mostly.
        is_silent = note in asked.tools
        if asked.tools and self._dice.chance(80 if is_silent else 25) and asked.spoken[-1].role != "tool":
            name = note if is_silent and self._dice.chance(80) else self._dice.pick(asked.tools)
            schema = self._tools.by_name[name].spec.parameters
            self.called[name] += 1
            said = " ".join(self.words.secrets_in(heard)) or "hello"
            arguments = draw_arguments(schema, self._dice, self._draw_place, heard=said)
            self.guessed.update(word for word in self.words.found_in(json.dumps(arguments)) if word not in heard)
            return Reply(calls=(ToolCall(id=f"c{self._dice.below(1 << 30)}", name=name, arguments=arguments),))
        return Reply(text=f"I heard: {heard[-4000:]}", chunks=1)

    def _draw_place(self) -> str:
        return self._dice.pick([*self.circles, "agent:main:main", "main"])

    # --- watching -----------------------------------------------------------------------------------------------------

    def may_see(self, person: Person) -> set[Circle]:
        """The circles whose words a person's client may be told."""
        mine: set[Circle] = {("mine", person.name)}
        return mine | {("among", group) for group, people in self.members.items() if person.name in people}

    def may_hold(self, home: Circle, other: Circle) -> bool:
        """Whether a session of one circle may hold words of another: a person's own session what they may see."""
        if home == other:
            return True
        owner = next((one for one in self.cast.people if home == ("mine", one.name)), None)
        return owner is not None and other in self.may_see(owner)

    def look(self) -> None:
        """Look at all that has left since the last look."""
        for request in self._runner.requests:
            text = request.system + "\n".join(map(str, request.messages))
            self._look_at_request(request.session_key, text)
        self._runner.requests.clear()
        for name in self.world.config.channels:
            sent = self.world.channel(name).sent
            for outbound in sent[self._sent.get(name, 0) :]:
                self._look_at_reply(outbound)
            self._sent[name] = len(sent)
        for client in (*self.clients, self.helper):
            for frame in client.frames:
                self._look_at_frame(client, frame)
            client.frames.clear()

    def _look_at_request(self, key: str, text: str) -> None:
        self._look_for_erased(text, f"in a model request of {key}")
        found = self.words.found_in(text)
        home = self.circles.get(key) or self._note_home(key, set(self.words.secrets_in(text).values()))
        for word, known in found.items():
            if (
                word not in self.guessed
                and home is not None
                and not any(self.may_hold(home, circle) for circle in known)
            ):
                self.findings.append(f"{word} of {_told(known)} is in a model request of {key}, which is of {home}")

    def _note_home(self, key: str, circles: set[Circle]) -> Circle | None:
        """The circle of a session that is seen for the first time: of several the one that may hold the others, as when
        a person goes on in a session of their own from a group that they are in.
        """
        if not circles:
            return None
        holding = (one for one in sorted(circles) if all(self.may_hold(one, other) for other in circles))
        self.circles[key] = next(holding, min(circles))
        return self.circles[key]

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
        self._look_for_erased(outbound.text, f"sent to {target.channel} {target.to}")
        for word, known in self.words.found_in(outbound.text).items():
            if not known & allowed and word not in self.guessed:
                self.findings.append(f"{word} of {_told(known)} was sent to {target.channel} {target.to}")

    def _look_at_frame(self, client: Client, frame: bytes, *, asked: str = "") -> None:
        """A frame holds what its client may know, and what they have just said themselves."""
        whose = client.person.name if client.person is not None else "the owner"
        self._look_for_erased(frame.decode(), f"told to the client of {whose}: {frame[:300]!r}")
        if client.person is None:
            return
        allowed = self.may_see(client.person)
        for word, known in self.words.found_in(frame.decode()).items():
            if not known & allowed and word not in asked and word not in self.guessed:
                self.findings.append(f"{word} of {_told(known)} was told to the client of {whose}: {frame[:300]!r}")

    def _look_for_erased(self, text: str, where: str) -> None:
        """No word of somebody who was erased goes anywhere: it is in nothing that the gateway could tell."""
        for word in self.words.erased_in(text):
            self.findings.append(f"{word} of {_told(self.words.circles[word])}, who was erased, was {where}")

    async def look_at_bytes(self, *, also: Collection[str] = (), named: frozenset[str] = frozenset()) -> None:
        """Look at every byte of the rows and the files: of whoever was erased there is nothing, nor of what is `also`
        watched for but in the files that are `named`; and where words are encrypted, none is readable.
        """
        await self.disk.flush()
        for place, content in (("the database", self._rows.image), *self.disk.contents()):
            for word in self.words.readable_in(content):
                told = f"{word} of {_told(self.words.circles[word])}"
                if (word in also and place not in named) or place not in self.words.erased.get(word, {place}):
                    self.findings.append(f"{told}, who was erased, is in {place}")
                is_secret = word.startswith("zq") and self.cast.is_sealed
                if is_secret and not place.startswith(EXPORTS):
                    self.findings.append(f"{told} is readable in {place}, and should be encrypted")

    async def look_at_rest(self) -> None:
        """Look at what stays: every row and every file."""
        await self.look_at_bytes()
        connection = self._rows.connection
        assert connection is not None  # noqa: S101 - the store is open
        self.findings += look_at_rows(connection, self.words, may_hold=self.may_hold, keys=self.circles)
        self.findings += self.disk.look(self.cast, self.words, may_hold=self.may_hold, keys=self.circles)


def _add_encryption(cast: Cast, key: Path) -> dict[str, object]:
    """The configuration of a script, in which words are encrypted where that was drawn."""
    session = cast.config["session"]
    assert isinstance(session, dict)  # noqa: S101 - as it was drawn
    encryption = {"encryption": {"enabled": True, "keyFile": str(key)}} if cast.is_sealed else {}
    return {**cast.config, "session": {**session, **encryption}}


def _seal_notes(config: Config, seals: Seals | None) -> SealNote | None:
    """Notes are kept encrypted as the gateway's own process does it: under the key of the agent's main session."""
    if seals is None:
        return None
    keys = config.routing.keys
    return lambda agent_id, name, text: seals.seal_note(text, name=name, key=main_session_key(keys, agent_id))


def _told(known: set[Circle]) -> str:
    return str(min(known))


async def _write_nothing(frame: bytes) -> None:
    """Frames are taken before they would be written."""
