"""What clients ask: every method of the wire by existing, with fields drawn by their names and kinds.

Nothing here knows a method but the few that would end a script, or act on everybody by the owner's own wish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from instar.core.policy.ownership import METHOD_OBJECTS
from instar.core.policy.scopes import ADMIN
from instar.protocol.methods import METHODS, Method
from instar.protocol.params import Field
from instar.testing.leaks.people import CHANNELS, Cast
from instar.testing.simulate.dice import Dice

__all__ = ["OPEN_TO_PEOPLE", "OWN_STEPS", "Asker", "needs_owner"]

OWN_STEPS: Final[Mapping[str, str]] = {
    "people.erase": "from then on nobody may see a word of theirs",
    "people.export": "its folder has to say whom it is about",
    "sessions.import": "the owner chooses into whose session words go",
    "backup.create": "each needs a name of its own",
}
"""What the owner asks for in steps of their own (`errands`), each with the reason. People ask for all of it, and are
refused.
"""

_NEVER_GIVEN: Final = frozenset({"idempotencyKey", "timeoutMs", "timeout", "raw", "patch", "traffic", "attachments"})
"""Fields that would wait for a clock that stands still, or replace the configuration of the script."""

_KEYS: Final = frozenset({"key", "sessionKey", "spawnedBy", "parentSessionKey", "activeKey", "session"})
_MANY_KEYS: Final = frozenset({"keys", "sessionKeys"})
_WORDS: Final = frozenset({"query", "search", "value", "instructions", "text"})


def needs_owner(method: Method) -> bool:
    """Whether only an owner's client may use a method at all."""
    return method.scope == ADMIN or METHOD_OBJECTS.get(method.name) == "gateway"


OPEN_TO_PEOPLE: Final = tuple(sorted(one.name for one in METHODS.values() if not needs_owner(one)))

_CLOSED: Final = tuple(sorted(METHODS.keys() - set(OPEN_TO_PEOPLE)))


@dataclass(slots=True, kw_only=True)
class Asker:
    """Draws requests. `draw_key` gives a key that is there or might be; `ids` holds what answers and events named."""

    dice: Dice
    cast: Cast
    draw_key: Callable[[], str]
    turn: int = 0
    """Which of the methods that people may not use is asked for next: each in its turn, from where a seed begins."""
    ids: dict[str, list[str]] = field(default_factory=dict)

    def draw(self, *, as_owner: bool) -> tuple[str, dict[str, object]]:
        """A method and its fields; most are of those that the caller may use."""
        if as_owner:
            name = self.dice.pick([name for name in METHODS if name not in OWN_STEPS])
        elif self.dice.chance(85):
            name = self.dice.pick(OPEN_TO_PEOPLE)
        else:
            self.turn += 1
            name = _CLOSED[self.turn % len(_CLOSED)]
        return name, self.draw_fields(METHODS[name], as_owner=as_owner)

    def note(self, value: object) -> None:
        """Remember every id that an answer names: somebody else may ask with it."""
        if isinstance(value, Mapping):
            for name, inner in value.items():
                if isinstance(inner, str) and name.endswith("Id"):
                    self.ids.setdefault(name, []).append(inner)
                else:
                    self.note(inner)
        elif isinstance(value, list):
            for inner in value:
                self.note(inner)

    def draw_fields(self, method: Method, *, as_owner: bool) -> dict[str, object]:
        """Fields of a method: those that it needs, and some of the others."""
        fields = {}
        # Half of the requests name a session and little else: fields that do not go together are refused.
        often = self.dice.pick([0, 35])
        for one in method.fields:
            if not one.used or (one.name in _NEVER_GIVEN and not one.required):
                continue
            if as_owner and one.name == "spawnedBy":
                continue  # whoever the owner calls the parent of a session hears of it: that would be no leak
            if one.required or self.dice.chance(often) or self._is_needed(one, method):
                fields[one.name] = self._draw_field(one)
        if method.waits or method.name == "agent.wait":
            fields["timeoutMs"] = 0
        return fields

    def _is_needed(self, one: Field, method: Method) -> bool:
        """A method that acts on a session says which, mostly."""
        return (
            one.name in {"key", "sessionKey"} and METHOD_OBJECTS.get(method.name) == "session" and self.dice.chance(85)
        )

    def _draw_field(self, one: Field) -> object:
        dice = self.dice
        if one.choices and dice.chance(90):
            return dice.pick(one.choices)
        if one.name in _KEYS:
            return self.draw_key()
        if one.name in _MANY_KEYS:
            return [self.draw_key() for _ in range(dice.between(1, 4))]
        if one.name in self.ids:
            return dice.pick(self.ids[one.name])
        if one.name in {"id", "principal"}:
            return dice.pick(self.cast.people).principal
        if one.name in {"peer", "sender", "peerId"}:
            return dice.pick(dice.pick(self.cast.people).addresses)[1]
        if one.name in {"agentId", "agent"}:
            return dice.pick(["main", "work"])
        if one.name == "channel":
            return dice.pick(CHANNELS)
        if one.name in _WORDS:
            return "hello"
        return self._draw_kind(one)

    def _draw_kind(self, one: Field) -> object:
        dice = self.dice
        match dice.pick(one.kinds):
            case "boolean":
                return dice.chance(60)
            case "integer" | "number":
                return dice.pick([0, 1, 3, 50, 1000])
            case "array":
                return [self._draw_field(one.items)] if one.items else []
            case "object":
                return {inner.name: self._draw_field(inner) for inner in one.fields}
            case _:
                return f"a{dice.below(5)}"
