"""What senders were told and what receivers heard: the side of the reckoning that no crash of the gateway can touch."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Ledger", "Person", "find_tokens", "format_token"]

_TOKEN: Final = re.compile(r"\{[a-z]+\d+-\d+\}")


def format_token(name: str, number: int) -> str:
    """What marks one message of a person, in its words, in its id and in the answer to it: ``{tom3-17}``."""
    return f"{{{name}-{number}}}"


def find_tokens(text: str) -> list[str]:
    """Every token in a text, in order, as often as it stands there."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who writes, and where: a bridge's name or "" for the WebSocket; `group` is the chat, "" for a direct one."""

    name: str
    channel: str = ""
    group: str = ""

    @property
    def chat_id(self) -> str:
        """Where answers to this person belong."""
        return self.group or self.name

    @property
    def session_key(self) -> str:
        """The one session that may hold this person's words."""
        if not self.channel:
            return f"agent:main:{self.name}"
        return f"agent:main:{self.channel}:{'group' if self.group else 'direct'}:{self.chat_id}"


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Everything that was told, and every contradiction that was seen on the way.

    `told` maps a token to its first acknowledgement; `heard` to the deliveries that carried it. `people` says who
    posted a token.
    """

    people: dict[str, Person] = field(default_factory=dict)
    told: dict[str, Mapping[str, object]] = field(default_factory=dict)
    heard: dict[str, set[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    posts: int = 0
    repeats: int = 0
    hand_outs: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def post(self, token: str, person: Person) -> None:
        """A message is about to be sent, perhaps again."""
        self.people[token] = person
        self.posts += 1

    def tell(self, token: str, acknowledgement: Mapping[str, object]) -> None:
        """A message was acknowledged, perhaps again: every acknowledgement must be the first one (LOSS-1)."""
        first = self.told.setdefault(token, acknowledgement)
        if first != acknowledgement:
            self.contradictions.append(f"{token} was told {dict(first)} and then {dict(acknowledgement)}")
        self._wake()

    def hear(self, delivery_id: str, *, chat_id: str, text: str) -> None:
        """A reply was handed out, perhaps again: it must be the same reply, and in the right chat."""
        self.hand_outs += 1
        if self.texts.setdefault(delivery_id, text) != text:
            self.contradictions.append(f"delivery {delivery_id} was handed out with two texts")
        for token in find_tokens(text):
            self.heard.setdefault(token, set()).add(delivery_id)
            person = self.people.get(token)
            if person is None or person.chat_id != chat_id:
                self.contradictions.append(f"{token} was answered in the chat {chat_id}")
        self._wake()

    def unanswered(self, tokens: Iterable[str]) -> int:
        """How many of these messages have been acknowledged and no reply to them was handed out."""
        return sum(token in self.told and token not in self.heard for token in tokens)

    def _wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()
