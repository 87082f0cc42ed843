"""Who was erased here is not named again in what an import keeps or copies (LEAK-11, STORE-6).

What belongs here: finding ids of erased people in the files beside the sessions, and those files without them. What
does not: their transcripts and approvals, which `carry` and `doorkeeper` refuse.

The store knows who was erased only by hashes. So every word that may be an id is asked for: each word of a list, and in
other files those of five characters or more that have a digit or an ``@``. Limits: names and other words are not known
any more; a file of more than 16 MiB is not looked through.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from instar.config.config import Config
from instar.core.model.ids import ChannelName
from instar.core.policy.needles import build_pattern
from instar.core.routing.normalize import NO_NUMBERS, normalize_peer
from instar.ports.store import Store
from instar.stores.openclaw.doorkeeper import parse_list_name
from instar.stores.openclaw.jobs import FoundJobs
from instar.stores.openclaw.scan import FoundState

__all__ = ["NOBODY", "Forgotten", "find_forgotten"]

_MAX_BYTES: Final = 16 * 1024 * 1024
_WORDS_MAX: Final = 20_000
"""So many words of a state directory are asked for, those of lists first."""

_WORD: Final = re.compile(r"[+@]?[A-Za-z0-9_](?:[A-Za-z0-9_.@+-]{0,78}[A-Za-z0-9_])?")
_SHORTEST: Final = 5
"""Shorter ids stand everywhere by chance; they are looked for in lists alone."""

_LOOK_BYTES: Final = 8 * 1024
_CHANNELS: Final = ("telegram", "whatsapp", "discord", "slack", "signal", "matrix", "imessage", "msteams", "irc", "sms")
"""Channels that an old directory may name without a list of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The ids that stand in files and are those of erased people; copies without them are made in `folder`.

    `lists` are the files in which short ids count, too.
    """

    ids: frozenset[str] = frozenset()
    folder: Path = field(default=Path())
    lists: frozenset[Path] = frozenset()

    def copy_of(self, path: Path) -> Path | None:
        """A file, or a copy in which stars stand for these ids; None where it is no text. Blocking; raises OSError."""
        pattern = build_pattern(self.ids if path in self.lists else self._long())
        if pattern is None or path.stat().st_size > _MAX_BYTES:
            return path
        content = path.read_bytes()
        cleaned = re.sub(pattern.encode(), lambda hit: b"*" * len(hit.group()), content)
        if cleaned == content:
            return path
        if b"\0" in content[:_LOOK_BYTES]:
            return None
        copy = self.folder / f"{len([*self.folder.iterdir()])}-{path.name}"
        copy.write_bytes(cleaned)
        return copy

    def clean_jobs(self, found: FoundJobs) -> FoundJobs:
        """Jobs and runs without these ids."""
        pattern = build_pattern(self._long())
        if pattern is None:
            return found

        def clean(one: object) -> dict[str, object]:
            text = re.sub(pattern.encode(), lambda hit: b"*" * len(hit.group()), msgspec.json.encode(one))
            cleaned: dict[str, object] = msgspec.json.decode(text, type=dict[str, object])
            return cleaned

        return replace(found, jobs=[clean(job) for job in found.jobs], runs=[clean(run) for run in found.runs])

    def _long(self) -> frozenset[str]:
        return frozenset(one for one in self.ids if len(one) >= _SHORTEST)


NOBODY: Final = Forgotten()
"""For a store that has erased nobody."""


async def find_forgotten(found: FoundState, store: Store | None, config: Config, *, folder: Path) -> Forgotten:
    """The erased people whom the files beside the sessions name. Raises `StoreError`, OSError."""
    if store is None:
        return NOBODY
    words = await asyncio.to_thread(lambda: [*dict.fromkeys(_list_words(found))][:_WORDS_MAX])
    channels = {
        *map(ChannelName, _CHANNELS),
        *config.channels,
        *(parse_list_name(path, config)[0] for path in found.credentials),
    }
    names = {word: _names_of(word, channels, config.routing.keys.numbers) for word in words}
    return Forgotten(ids=await _find(store, words, names), folder=folder, lists=frozenset(found.credentials))


def _names_of(word: str, channels: Collection[ChannelName], numbers: Mapping[str, str]) -> list[str]:
    """What a word would be called on each channel, a hidden id by its number too: either may have been erased."""
    return [
        f"{channel}:{peer_id}"
        for channel in sorted(channels)
        for peer_id in dict.fromkeys(
            normalize_peer(channel, kind="direct", peer_id=word, numbers=known) for known in (NO_NUMBERS, numbers)
        )
    ]


async def _find(store: Store, words: Sequence[str], names: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Those of the words that name somebody who was erased: all are asked for at once, then each half of them."""
    if not words or await store.find_erased_at([name for word in words for name in names[word]]) is None:
        return frozenset()
    if len(words) == 1:
        return frozenset(words)
    half = len(words) // 2
    return await _find(store, words[:half], names) | await _find(store, words[half:], names)


def _list_words(found: FoundState) -> Iterator[str]:
    for path in found.credentials:
        yield from _words_of(path)
    config = [] if found.config is None else [found.config]
    for path in (*config, *found.cron, *found.databases, *(one.path for one in found.memory)):
        yield from (word for word in _words_of(path) if len(word) >= _SHORTEST and _may_be_id(word))


def _words_of(path: Path) -> list[str]:
    if path.stat().st_size > _MAX_BYTES:
        return []
    return _WORD.findall(path.read_bytes().decode("latin-1"))


def _may_be_id(word: str) -> bool:
    return "@" in word or any(sign.isdigit() for sign in word)
