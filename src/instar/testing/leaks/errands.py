"""What only an owner may ask about everybody's words: forget somebody, copy them, back up, bring in (LEAK-11, LOSS-12).

Each errand says beforehand what may be seen afterwards, and whoever is no owner asks for the same and is refused.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from instar.core.model.ids import SessionKey
from instar.stores.erasing.files import EXPORTS
from instar.testing.leaks.disk import BACKUPS
from instar.testing.leaks.people import Circle, Person
from instar.testing.leaks.world import LeakWorld
from instar.testing.simulate.dice import Dice

__all__ = ["Errands"]

_AT: Final = "2026-01-01T00:00:00.000Z"
"""When the words of transcripts were said that are brought in."""


@dataclass(slots=True, kw_only=True)
class Errands:
    """Draws errands. `done` counts those that were answered, by method; `imports` has by person what was brought in."""

    leaks: LeakWorld
    dice: Dice
    done: Counter[str] = field(default_factory=Counter)
    imports: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    _count: int = 0

    @property
    def steps(self) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
        """Every errand, each with how often it comes; the first changes nothing."""
        return [
            (1, self.export),
            (1, self.back_up),
            (1, self.bring_in),
            (2, self.put_away),
            (2, self.erase),
            (1, self.ask_in_vain),
        ]

    async def export(self) -> None:
        """The owner exports somebody, into a folder that says whom."""
        await self._run("people.export", self._wish_export())

    async def back_up(self) -> None:
        """The owner makes a backup, in which everybody's words are."""
        await self._run("backup.create", self._wish_backup())

    async def put_away(self) -> None:
        """The owner deletes a session, whose transcripts are archived, and may bring it back from its archives."""
        if not self.leaks.circles:
            return
        key = self.dice.pick([*self.leaks.circles])
        await self._run("sessions.delete", {"key": key})
        if self.dice.chance(40):
            await self._run("sessions.restore", {"key": key})

    async def bring_in(self) -> None:
        """The owner brings in a transcript."""
        await self._bring_in(self._person())

    async def _bring_in(self, person: Person) -> None:
        """One of a person's into a session of theirs, or one of nobody's."""
        keys = await self._own_keys(person)
        if keys and self.dice.chance(70):
            wish = self._wish_import(self.leaks.words.of(person, ("mine", person.name)), self.dice.pick(keys))
            self.imports.setdefault(person.name, []).append(wish)
        else:
            self._count += 1
            wish = self._wish_import(self.leaks.words.of_nobody(("kept", f"import {self._count}")), None)
        await self._run("sessions.import", wish)

    async def erase(self) -> None:
        """The owner erases somebody: what they said is nowhere from then on, and cannot be brought back."""
        leaks, person = self.leaks, self._person()
        if self.dice.chance(30):
            await self._bring_in(person)
        await leaks.settle()
        leaks.look()
        keys = await self._own_keys(person)
        frame = await self._run("people.erase", self._wish_erasure(person))
        if not frame["ok"] or frame["payload"]["planned"]:
            return
        receipt = frame["payload"]
        named = {str(one["place"]) for one in receipt["left"]}
        # An id of theirs that the model made up may stand in what it said to others, which the receipt names; and what
        # the owner has said of them as well is the owner's.
        is_told = bool((leaks.guessed | leaks.words.repeated).intersection(person.marks))
        left = sorted(place for place in named if not place.startswith(f"{EXPORTS}/"))
        if left and not (is_told or leaks.words.is_repeated(person)):
            leaks.findings.append(f"what is of {('mine', person.name)} was left by an erasure in {left}")
        # Where a secret of theirs stays that the owner repeated there is none that the owner did not.
        kept = named if is_told else named.difference(left)
        files = frozenset({*kept, *(f"{BACKUPS}/{name}" for name in receipt["backups"])})
        leaks.words.forget(person, named=files)
        for members in leaks.members.values():
            members.discard(person.name)
        await leaks.look_at_bytes(also=() if is_told else person.marks, named=files)
        for wish in self.imports.pop(person.name, []):
            await self._run("sessions.import", wish)
        for key in keys:
            await leaks.ask(leaks.clients[0], "sessions.restore", {"key": key})
        await leaks.look_at_bytes()

    async def ask_in_vain(self) -> None:
        """Whoever is no owner asks for any of it, and is refused."""
        client = self.dice.pick([*self.leaks.clients[1:], self.leaks.helper])
        person = self._person() if client.person is None or self.dice.chance(50) else client.person
        method, wish = self.dice.pick(
            [
                ("people.export", self._wish_export()),
                ("people.erase", self._wish_erasure(person)),
                ("backup.create", self._wish_backup()),
                ("sessions.import", self._wish_import("hello", None)),
            ]
        )
        frame = await self.leaks.ask(client, method, wish)
        if frame["ok"]:
            who = "a program" if client.person is None else client.person.name
            self.leaks.findings.append(f"{method}, which acts on the words of (everybody), was done for {who}")

    async def _run(self, method: str, wish: Mapping[str, object]) -> dict[str, Any]:  # Any: a frame, which is JSON
        frame = await self.leaks.ask(self.leaks.clients[0], method, wish)
        self.done[method] += frame["ok"]
        return frame

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _person(self) -> Person:
        return self.dice.pick(self.leaks.cast.people)

    async def _own_keys(self, person: Person) -> list[SessionKey]:
        """The sessions of a person that are nobody else's."""
        mine: Circle = ("mine", person.name)
        keys = [SessionKey(key) for key, circle in self.leaks.circles.items() if circle == mine]
        sessions = [await self.leaks.world.store.load_session(key) for key in keys]
        return [one.key for one in sessions if one is not None and one.owner == person.principal.lower()]

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}.{self._count}"

    def _wish_export(self) -> dict[str, object]:
        person = self._person()
        return {"id": person.principal, "name": self._name(person.name)}

    def _wish_backup(self) -> dict[str, object]:
        return {"name": self._name("backup")}

    def _wish_erasure(self, person: Person) -> dict[str, object]:
        channel, peer = self.dice.pick(person.addresses)
        wish: dict[str, object] = {"id": self.dice.pick([person.principal, f"{channel}:{peer}"])}
        if self.dice.chance(15):
            wish["dryRun"] = True
        if self.dice.chance(30):
            wish["dropBackups"] = True
        return wish

    def _wish_import(self, word: str, key: SessionKey | None) -> dict[str, object]:
        session_id = f"00000000-0000-4000-8000-{self.dice.below(1 << 48):012x}"
        # Long before anybody writes here: forgotten words are known by their millisecond alone (docs/security.md).
        at = 1_700_000_000_000 + self.dice.below(1 << 30)
        message = {"role": "user", "content": f"hello {word}", "timestamp": at}
        lines = (
            {"type": "session", "version": 3, "id": session_id, "timestamp": _AT, "cwd": "/"},
            {"type": "message", "id": "00000001", "parentId": None, "timestamp": _AT, "message": message},
        )
        content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        is_packed = self.dice.chance(30)
        return {
            "name": f"{session_id}.jsonl{'.zst' if is_packed else ''}",
            "content": base64.b64encode(zstandard.compress(content) if is_packed else content).decode(),
            **({"key": key} if key is not None else {}),
        }
