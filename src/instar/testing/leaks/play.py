"""One script: drawn from a seed and played at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from structlog.testing import capture_logs

from instar.errors import InstarError
from instar.protocol.methods import METHODS
from instar.system.log import FileSink
from instar.testing.inline import InlineLoop
from instar.testing.leaks.asking import OPEN_TO_PEOPLE, Asker
from instar.testing.leaks.disk import LOG
from instar.testing.leaks.errands import Errands
from instar.testing.leaks.people import SMALL_WINDOW_TOKENS, Circle, Person, draw_cast
from instar.testing.leaks.world import Client, LeakWorld
from instar.testing.simulate.dice import Dice

__all__ = ["Outcome", "play"]

STEPS: Final = 40

COMMANDS: Final = (
    "/status",
    "/new",
    "/reset",
    "/why",
    "/context list",
    "/compact",
    "/stop",
    "/help",
    "/resume",
    "/usage",
)
"""Commands that anybody may try; whether they are obeyed is not the question here."""


LISTED_MAX: Final = 1000
"""No script has so many sessions, nor hits."""


WHOSE: Final = "so many of (anybody) there are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a script came to. `findings` is empty when nothing leaked; `asked` and `answered` count people's requests
    by method, and those that were not refused; `done` the owner's errands; `is_sealed` says that words were encrypted.
    """

    seed: int
    people: int
    messages: int
    requests: int
    findings: tuple[str, ...]
    asked: Counter[str]
    answered: Counter[str]
    called: Counter[str]
    done: Counter[str]
    is_sealed: bool


def play(seed: int) -> Outcome:
    """Draw the script of a seed, play it, and say what leaked."""
    with asyncio.Runner(loop_factory=InlineLoop) as runner:
        return runner.run(_play(seed))


async def _play(seed: int) -> Outcome:
    dice = Dice(seed)
    cast = draw_cast(dice)
    leaks = LeakWorld(cast, dice, seed=seed)
    try:
        with capture_logs() as lines:
            async with leaks.world:
                leaks.open()
                script = _Script(leaks, dice, lines)
                await script.run()
                leaks.close()
                await leaks.disk.stop()
        leaks.findings += _look_at_log(leaks, lines)
    finally:
        leaks.disk.close()
    return Outcome(
        seed=seed,
        people=len(cast.people),
        messages=script.messages,
        requests=leaks.requests,
        findings=tuple(dict.fromkeys(leaks.findings)),
        asked=script.asked,
        answered=script.answered,
        called=leaks.called,
        done=script.errands.done,
        is_sealed=cast.is_sealed,
    )


def _look_at_log(leaks: LeakWorld, lines: Sequence[object]) -> Iterator[str]:
    for line in lines:
        for word, circle in leaks.words.secrets_in(str(line)).items():
            yield f"{word} of {circle} is in the log: {str(line)[:300]}"


class _Script:
    """Draws one step after another."""

    def __init__(self, leaks: LeakWorld, dice: Dice, lines: Sequence[Mapping[str, object]]) -> None:
        self._leaks = leaks
        self._dice = dice
        self._lines = lines
        self._log = FileSink(leaks.disk.state / LOG, max_bytes=1 << 30, keep_files=1)
        self._logged = 0
        self._asker = Asker(dice=dice, cast=leaks.cast, draw_key=self._key, turn=leaks.seed)
        self._asking: Person | None = None
        self.errands = Errands(leaks=leaks, dice=dice)
        self.messages = 0
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self._steps: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (9, self._write_alone),
            (6, self._write_in_group),
            (3, self._command),
            (14, self._ask_as_person),
            (2, self._ask_for_pages),
            (3, self._ask_as_owner),
            (2, self._wait),
            (1, self._restart),
        ]
        # What is erased and put away is not summarised nor noted: some scripts do without, so that there is much of it.
        self._steps += self.errands.steps if dice.chance(60) else self.errands.steps[:1]

    async def run(self) -> None:
        """Every step, then a look at what stays."""
        for _ in range(STEPS):
            await self._step()
            if self._leaks.findings:
                break
        await self._leaks.settle()
        self._leaks.look()
        await self._leaks.look_at_rest()
        self._log.close()

    async def _step(self) -> None:
        """One step, and a look at all that left the gateway."""
        await self._dice.weighted(self._steps)()
        await self._leaks.settle()
        self._leaks.look()
        for line in self._lines[self._logged :]:
            self._log.write(line)
        self._logged = len(self._lines)

    # --- on channels --------------------------------------------------------------------------------------------------

    async def _write_alone(self) -> None:
        person = self._person()
        channel, peer = self._dice.pick(person.addresses)
        circle = self._leaks.cast.direct_circle(person, channel)
        thread = self._dice.pick([None, None, None, "7"])
        await self._post(person, channel, peer, circle, text=None, thread_id=thread)

    async def _write_in_group(self) -> None:
        channel, group = self._dice.pick(self._leaks.cast.groups)
        writers = [one for one in self._leaks.cast.people if any(name == channel for name, _ in one.addresses)]
        if not writers:
            return
        person = self._dice.pick(writers)
        peer = next(peer for name, peer in person.addresses if name == channel)
        place = f"{channel} {group}"
        self._leaks.members.setdefault(place, set()).add(person.name)
        thread = self._dice.pick([None, None, None, "7"])
        await self._post(
            person,
            channel,
            peer,
            ("among", place),
            text=None,
            chat_type="group",
            chat_id=group,
            mentioned=self._dice.chance(70),
            thread_id=thread,
        )

    async def _command(self) -> None:
        person = self._person()
        channel, peer = self._dice.pick(person.addresses)
        docks = [f"/dock_{other}" for other, _ in person.addresses if other != channel]
        text = self._dice.pick([*COMMANDS, *docks])
        await self._post(person, channel, peer, self._leaks.cast.direct_circle(person, channel), text=text)

    async def _post(
        self,
        person: Person,
        channel: str,
        peer: str,
        circle: Circle,
        *,
        text: str | None,
        **where: Any,  # noqa: ANN401 - what a channel may add
    ) -> None:
        self.messages += 1
        self._leaks.words.introduce(person, circle)
        # A small window is filled by a few messages, so that there is something to summarise and to note.
        filler = " and so on" * (120 if self._leaks.cast.window_tokens <= SMALL_WINDOW_TOKENS else 0)
        said = text or f"hello m{self.messages} {self._leaks.words.of(person, circle)}{filler}"
        with contextlib.suppress(InstarError):
            await self._leaks.world.channel(channel).post(said, sender=peer, name=person.name, **where)

    # --- by clients ---------------------------------------------------------------------------------------------------

    async def _ask_as_person(self) -> None:
        client = self._dice.pick(self._leaks.clients[1:])
        assert client.person is not None  # noqa: S101 - the first client is the owner's
        self._asking = client.person
        for _ in range(self._dice.between(1, 3)):
            await self._ask(client, client.person)
        self._asking = None

    async def _ask(self, client: Client, person: Person) -> None:
        method, params = self._asker.draw(as_owner=False)
        if "message" in params:
            self._put_words(person, method, params)
        self.asked[method] += 1
        frame = await self._leaks.ask(client, method, params)
        self.answered[method] += frame["ok"]
        if frame["ok"] and method not in OPEN_TO_PEOPLE:
            self._leaks.findings.append(f"{method}, which acts on the words of (everybody), was done for {person.name}")
        self._asker.note(frame.get("payload"))

    def _put_words(self, person: Person, method: str, params: dict[str, object]) -> None:
        """What a client says: into a session that is theirs that session's word, else their own."""
        mine: Circle = ("mine", person.name)
        circle = self._leaks.circles.get(str(params.get("key") or params.get("sessionKey")), mine)
        if circle not in self._leaks.may_see(person):
            circle = mine
        self.messages += 1
        if circle != mine:
            self._leaks.words.introduce(person, circle)
        params["message"] = f"hello {self._leaks.words.of(person, circle)}"
        if any(one.name == "idempotencyKey" and one.required for one in METHODS[method].fields):
            params["idempotencyKey"] = f"k{self.messages}"

    async def _ask_for_pages(self) -> None:
        """What a person lists and finds is chosen before limits and counts (LEAK-6): a page of one holds one."""
        client = self._dice.pick(self._leaks.clients[1:])
        everything = {"includeGlobal": True, "includeUnknown": True, "archived": "all"}
        many = await self._leaks.ask(client, "sessions.list", {**everything, "limit": LISTED_MAX})
        one = await self._leaks.ask(client, "sessions.list", {**everything, "limit": 1})
        status = await self._leaks.ask(client, "status", {})
        if not (many["ok"] and one["ok"] and status["ok"]):
            return
        listed = len(many["payload"]["sessions"])
        told = [many["payload"]["totalCount"], one["payload"]["totalCount"]]
        if told != [listed, listed] or len(one["payload"]["sessions"]) != min(1, listed):
            self._leaks.findings.append(f"sessions.list counts {told} of others to somebody who sees {listed}: {WHOSE}")
        if status["payload"]["sessions"]["count"] > listed:
            self._leaks.findings.append(f"status counts more than the {listed} that somebody sees: {WHOSE}")
        found = [
            await self._leaks.ask(client, "sessions.search", {"query": "hello", "limit": limit}) for limit in (1, 100)
        ]
        if any(not frame["ok"] or "indexing" in frame["payload"] for frame in found):
            return
        few, all_hits = (len(frame["payload"]["results"]) for frame in found)
        if few != min(1, all_hits):
            self._leaks.findings.append(f"sessions.search looks at limits before owners: {WHOSE}")

    async def _ask_as_owner(self) -> None:
        owner = self._leaks.clients[0]
        method, params = self._asker.draw(as_owner=True)
        words = self._leaks.words
        if "message" in params:
            home = self._leaks.circles.get(str(params.get("key") or params.get("sessionKey")))
            said = [word for word, known in words.circles.items() if home in known and word not in words.erased]
            params["message"] = f"hello {self._dice.pick(said) if said else ''}"
            params["idempotencyKey"] = f"o{self._leaks.requests}"
        words.repeated.update(words.found_in(str(params)))
        frame = await self._leaks.ask(owner, method, params)
        self._asker.note(frame.get("payload"))

    # --- time ---------------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        await self._leaks.world.run_for(self._dice.pick([1, 60, 7_200, 90_000]))

    async def _restart(self) -> None:
        await self._leaks.world.restart(kill=self._dice.chance(50))
        self._leaks.open()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _person(self) -> Person:
        return self._dice.pick(self._leaks.cast.people)

    def _key(self) -> str:
        """A session that is there, a short form, or one that somebody might have."""
        if self._asking is not None and self._dice.chance(40):
            allowed = self._leaks.may_see(self._asking)
            return self._dice.pick(["main", *(key for key, one in self._leaks.circles.items() if one in allowed)])
        person = self._person()
        channel, peer = self._dice.pick(person.addresses)
        return self._dice.pick(
            [
                *self._leaks.circles,
                *self._leaks.circles,
                "main",
                "agent:main:main",
                "agent:work:main",
                f"agent:main:{channel}:direct:{peer}",
                f"agent:main:direct:{person.name}",
                f"{channel}:{peer}",
                f"agent:work:direct:{peer}",
                f"AGENT:MAIN:{channel.upper()}:DIRECT:{peer}",
            ]
        )
