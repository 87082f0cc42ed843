"""Who takes part in a script, which word each says where, and who may see it. Nothing here looks at the gateway's code.

A *circle* is a set of places whose words may meet: a person's own chats (`Mine`), one group (`Among`), or the main
session, where everybody meets who writes one-to-one under ``dmScope: main`` (`Shared`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from instar.testing.simulate.dice import Dice

__all__ = ["CHANNELS", "SMALL_WINDOW_TOKENS", "Cast", "Circle", "Person", "Words", "draw_cast"]

CHANNELS: Final = ("telegram", "discord", "slack")

SMALL_WINDOW_TOKENS: Final = 8_192

Circle = tuple[str, str]
"""``("mine", person)``, ``("among", group)`` or ``("shared", agent)``."""

_WORD: Final = re.compile(r"z[qni][0-9a-f]{10}")
"""``zq…`` is a secret, ``zn…`` a name, ``zi…`` an id."""

_WORD_BYTES: Final = re.compile(_WORD.pattern.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person; `addresses` are ``(channel, id)``. Linked people have a name in the configuration."""

    name: str
    addresses: tuple[tuple[str, str], ...]
    is_linked: bool

    @property
    def marks(self) -> tuple[str, ...]:
        """What tells that it is them: their name and their ids."""
        return (self.name, *(word for _, peer in self.addresses for word in _WORD.findall(peer)))

    @property
    def principal(self) -> str:
        """What their token says."""
        channel, peer = self.addresses[0]
        return self.name if self.is_linked else f"{channel}:{peer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody and every group. `groups` are ``(channel, id)``; `work` is a channel that another agent serves; words
    are stored encrypted where it `is_sealed`.
    """

    people: tuple[Person, ...]
    groups: tuple[tuple[str, str], ...]
    dm_scope: str
    work: str | None
    window_tokens: int
    is_sealed: bool
    config: dict[str, object]

    def agent_of(self, channel: str) -> str:
        """Which agent answers there."""
        return "work" if channel == self.work else "main"

    def direct_circle(self, person: Person, channel: str) -> Circle:
        """The circle of what a person writes one-to-one."""
        return ("shared", self.agent_of(channel)) if self.dm_scope == "main" else ("mine", person.name)


@dataclass(slots=True)
class Words:
    """Everything that is watched for, each with the circles in which it may be known.

    Of secrets there is one for each person and circle, drawn when first said. A name or an id of a person is known
    wherever they have written.
    """

    dice: Dice
    said: dict[tuple[str, Circle], str] = field(default_factory=dict)
    circles: dict[str, set[Circle]] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    """What the owner has said as well, in a message or as a key: an erasure of whoever said it first may leave it."""
    erased: dict[str, frozenset[str]] = field(default_factory=dict)
    """Secrets of people who were erased, which nobody may see any more, each with the files that may hold it still,
    since the receipt named them.
    """

    def of(self, person: Person, circle: Circle) -> str:
        """The secret of a person in a circle."""
        return self._of(person.name, circle)

    def of_nobody(self, circle: Circle) -> str:
        """The secret of a circle that is no person's."""
        return self._of("", circle)

    def _of(self, name: str, circle: Circle) -> str:
        key = (name, circle)
        if key not in self.said:
            word = _draw_word(self.dice, "q")
            self.said[key] = word
            self.circles[word] = {circle}
        return self.said[key]

    def is_repeated(self, person: Person) -> bool:
        """Whether the owner has said a secret of theirs as well: there it is the owner's, and stays."""
        return any(word in self.repeated for (name, _), word in self.said.items() if name == person.name)

    def forget(self, person: Person, *, named: frozenset[str]) -> None:
        """The person was erased, and a receipt has named these files. What they say from now on are other secrets."""
        for name, circle in [one for one in self.said if one[0] == person.name]:
            word = self.said.pop((name, circle))
            if word not in self.repeated:
                self.erased[word] = named

    def introduce(self, person: Person, circle: Circle) -> None:
        """The person writes in a circle: who is in it may know their names and ids."""
        for word in person.marks:
            self.circles.setdefault(word, {("mine", person.name)}).add(circle)

    def found_in(self, text: str) -> dict[str, set[Circle]]:
        """What is watched for in a text, each with its circles."""
        return {word: self.circles[word] for word in _WORD.findall(text) if word in self.circles}

    def erased_in(self, text: str) -> set[str]:
        """The secrets in a text that are of somebody who was erased."""
        return self.erased.keys() & set(_WORD.findall(text))

    def readable_in(self, content: bytes) -> set[str]:
        """What is watched for in the bytes of a file."""
        return self.circles.keys() & {word.decode() for word in _WORD_BYTES.findall(content)}

    def secrets_in(self, text: str) -> dict[str, Circle]:
        """The secrets in a text, each with its circle."""
        return {word: next(iter(known)) for word, known in self.found_in(text).items() if word.startswith("zq")}


def _draw_word(dice: Dice, kind: str) -> str:
    return f"z{kind}{dice.below(1 << 40):010x}"


def draw_cast(dice: Dice) -> Cast:
    """People, groups and a configuration."""
    people = tuple(_draw_person(dice) for _ in range(dice.between(4, 10)))
    groups = tuple((dice.pick(CHANNELS), f"-10{number}") for number in range(dice.between(1, 3)))
    dm_scope = dice.pick(["main", "per-peer", "per-channel-peer", "per-channel-peer", "per-account-channel-peer"])
    work = dice.pick([None, *CHANNELS])
    # In a small window there are summaries and, in a main session, notes; in a large one everything that was said.
    is_small = dice.chance(90 if dm_scope == "main" else 25)
    window_tokens = SMALL_WINDOW_TOKENS if is_small else 200_000
    return Cast(
        people=people,
        groups=groups,
        dm_scope=dm_scope,
        work=work,
        window_tokens=window_tokens,
        is_sealed=dice.chance(35),
        config=_build_config(dice, people, dm_scope=dm_scope, work=work),
    )


def _draw_person(dice: Dice) -> Person:
    is_linked = dice.chance(40)
    first = dice.below(len(CHANNELS))
    channels = [CHANNELS[(first + at) % len(CHANNELS)] for at in range(dice.between(1, 2) if is_linked else 1)]
    # Ids hold signs that mean something in keys.
    marks = dice.pick(["", ":1", "-", "@x", ".main"])
    return Person(
        name=_draw_word(dice, "n"),
        addresses=tuple((channel, f"{_draw_word(dice, 'i')}{marks}{at}") for at, channel in enumerate(channels)),
        is_linked=is_linked,
    )


def _build_config(dice: Dice, people: tuple[Person, ...], *, dm_scope: str, work: str | None) -> dict[str, object]:
    bridge = {"type": "bridge", "token": "x" * 32, "dmPolicy": "open", "groupPolicy": "open", "groupAllowFrom": ["*"]}
    links = {one.name: [f"{channel}:{peer}" for channel, peer in one.addresses] for one in people if one.is_linked}
    config: dict[str, object] = {
        "session": {
            "dmScope": dm_scope,
            "identityLinks": links,
            "activationByType": {"group": dice.pick(["always", "mention"])},
            "reset": {"mode": dice.pick(["daily", "idle", "none"])},
            **({"maxMessages": dice.pick([4, 10])} if dice.chance(30) else {}),
        },
        "messages": {"queue": {"mode": dice.pick(["steer", "collect", "followup", "interrupt"]), "debounceMs": 0}},
        "channels": {channel: dict(bridge) for channel in CHANNELS},
        "agents": {
            "defaults": {
                "compaction": {
                    "reserveTokensFloor": 0,
                    "reserveTokens": 4_096,
                    "keepRecentTokens": 1_000,
                    "memoryFlush": {"softThresholdTokens": 1_000},
                },
            },
            "list": [{"id": "main", "default": True}, {"id": "work", "workspace": "workspace-work"}],
        },
    }
    if work is not None:
        config["bindings"] = [{"agentId": "work", "match": {"channel": work}}]
    return config
