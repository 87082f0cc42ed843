"""One script: drawn from a seed and played at once."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from structlog.testing import capture_logs

from instar.errors import InstarError
from instar.testing.leaks.people import Circle, Person, draw_cast
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a script came to. `findings` is empty when nothing leaked."""

    seed: int
    people: int
    messages: int
    requests: int
    findings: tuple[str, ...]


async def play(seed: int) -> Outcome:
    """Draw the script of a seed, play it, and say what leaked."""
    dice = Dice(seed)
    cast = draw_cast(dice)
    leaks = LeakWorld(cast, dice)
    with capture_logs() as lines:
        async with leaks.world:
            leaks.open()
            script = _Script(leaks, dice)
            for _ in range(STEPS):
                await script.step()
                if leaks.findings:
                    break
            await leaks.settle()
            leaks.look()
            await leaks.look_at_rows()
            leaks.close()
    for line in lines:
        found = leaks.words.found_in(str(line))
        leaks.findings += [f"{word} of {circle} is in the log: {str(line)[:300]}" for circle, word in found.items()]
    return Outcome(
        seed=seed,
        people=len(cast.people),
        messages=script.messages,
        requests=leaks.requests,
        findings=tuple(dict.fromkeys(leaks.findings)),
    )


class _Script:
    """Draws one step after another."""

    def __init__(self, leaks: LeakWorld, dice: Dice) -> None:
        self._leaks = leaks
        self._dice = dice
        self.messages = 0
        self._steps: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (9, self._write_alone),
            (6, self._write_in_group),
            (3, self._command),
            (14, self._ask_as_person),
            (2, self._ask_as_owner),
            (2, self._wait),
            (1, self._restart),
        ]

    async def step(self) -> None:
        """One step, and a look at all that left the gateway."""
        await self._dice.weighted(self._steps)()
        await self._leaks.settle()
        self._leaks.look()

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
        await self._post(
            person,
            channel,
            peer,
            ("among", place),
            text=None,
            chat_type="group",
            chat_id=group,
            mentioned=self._dice.chance(70),
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
        said = text or f"hello m{self.messages} {self._leaks.words.of(person, circle)}"
        with contextlib.suppress(InstarError):
            await self._leaks.world.channel(channel).post(said, sender=peer, name=person.name, **where)

    # --- by clients ---------------------------------------------------------------------------------------------------

    async def _ask_as_person(self) -> None:
        client = self._dice.pick(self._leaks.clients[1:])
        assert client.person is not None  # noqa: S101 - the first client is the owner's
        for _ in range(self._dice.between(1, 3)):
            await self._ask(client, client.person)

    async def _ask(self, client: Client, person: Person) -> None:
        key, other = self._key(), self._key()
        choices: list[tuple[str, dict[str, Any]]] = [
            ("sessions.list", {"includeLastMessage": True, "includeDerivedTitles": True, "includeGlobal": True}),
            ("sessions.preview", {"keys": [key, other]}),
            ("sessions.describe", {"key": key}),
            ("sessions.get", {"key": key}),
            ("sessions.resolve", {"key": key}),
            ("sessions.search", {"query": "hello"}),
            ("sessions.search", {"query": "hello", "limit": 50}),
            ("sessions.explain", {"key": key}),
            ("sessions.export", {"key": key, "format": self._dice.pick(["json", "jsonl", "markdown", "html"])}),
            ("sessions.transcripts", {"key": key}),
            ("sessions.status", {"key": key}),
            ("sessions.usage", {}),
            ("sessions.subscribe", {}),
            ("sessions.messages.subscribe", {"key": key}),
            ("sessions.patch", {"key": key, "label": f"of {person.name}"}),
            ("sessions.reset", {"key": key}),
            ("sessions.compact", {"key": key}),
            ("chat.history", {"sessionKey": key}),
            ("chat.startup", {"sessionKey": key}),
            ("chat.metadata", {"sessionKey": key}),
            ("chat.abort", {"sessionKey": key}),
            ("logs.tail", {}),
            ("status", {}),
            ("outbox.list", {"state": "all"}),
        ]
        if self._dice.chance(30):
            await self._send(client, person, key)
            return
        method, params = self._dice.pick(choices)
        await self._leaks.ask(client, method, params)

    async def _send(self, client: Client, person: Person, key: str) -> None:
        """A message of a client: into a session that is theirs it carries that session's word, else their own."""
        circle = self._leaks.circles.get(key, ("mine", person.name))
        mine: Circle = ("mine", person.name)
        said = self._leaks.words.of(person, circle if circle in self._leaks.may_see(person) else mine)
        self.messages += 1
        method, name = self._dice.pick([("chat.send", "sessionKey"), ("sessions.send", "key")])
        params = {name: key, "message": f"hello {said}", "idempotencyKey": f"k{self.messages}"}
        await self._leaks.ask(client, method, params)

    async def _ask_as_owner(self) -> None:
        owner, key = self._leaks.clients[0], self._key()
        method = self._dice.pick(["sessions.reset", "sessions.compact", "sessions.describe", "sessions.list"])
        await self._leaks.ask(owner, method, {} if method == "sessions.list" else {"key": key})

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
                f"agent:work:direct:{peer}",
                f"AGENT:MAIN:{channel.upper()}:DIRECT:{peer}",
            ]
        )
