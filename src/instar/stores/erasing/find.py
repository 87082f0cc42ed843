"""Everything that the rows hold about one person (LEAK-11).

Theory of operation. Messages are walked once in the order of arrival: each says who wrote it, where, and in which turn
it was answered. With the session rows they tell which sessions are the person's alone (these go as a whole) and which
they shared (these lose their words). What they wrote gives the words to look for; a second walk drops those that
others wrote themselves, so that nobody loses a word for having used the same one.

Invariant: nothing is changed here. Cost: every message is read twice and every line once, whatever the person wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from instar.core.context.erasing import Spoken, Traces, find_spoken, recall_context, recall_words, tell_apart
from instar.core.model.change import Submission
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.people import Person
from instar.core.policy.needles import SHORTEST, Cleaner, build_cleaner, choose_needles, extract_needles
from instar.core.routing.identity import Links
from instar.core.routing.key import parent_key, parse_key
from instar.core.routing.person import PersonTest
from instar.errors import StoreUnreadable
from instar.stores.rows import read_entry
from instar.stores.transaction import Engine, Params, Row, Transaction

__all__ = ["Holdings", "ask", "find_common_by_now", "find_holdings", "read_submission", "walk"]

_SLICE: Final = 500

_SHORTEST_NAME: Final = 3
_LONG_NAME_CHARS: Final = 8
"""A name is chosen by its bearer: "the" must not be blanked out of what others say. One word in lower case counts as a
name from so many letters on.
"""

_MOMENT: Final = re.compile(r'"timestamp":(\d+)')
"""Where a line may say when it was written, as a number; a cheap look before it is read as a whole."""

_submissions: Final = msgspec.json.Decoder(Submission)


class _Owned(msgspec.Struct):
    """The one field of an acceptance that tells whose a session would be."""

    owner: str | None = None


_owners: Final = msgspec.json.Decoder(_Owned)


@dataclass(slots=True, kw_only=True)
class Holdings:
    """What is held about a person. `keys` are sessions of theirs alone, `shared` those in which others wrote too;
    `places` are keys of theirs without a session, under which a code was told them, or they were let in.

    `aliases` are the ids under which they wrote, as rows spell them; `needles` the words, names and ids to look for;
    `common` how many of their words others wrote as well; `transcripts` the keys of all that are stored, `forks` those
    that were forked, each by what it was forked from and its key; `origins` the sessions from which a session has
    copies, None where one of them is gone. `spoken` is what they wrote, by the time that a transcript has for it;
    `overheard` what stands of it beside messages of others alone. `archived` are sessions of which only archives tell
    that they hold lines of theirs.
    """

    person: Person
    keys: set[SessionKey] = field(default_factory=set)
    shared: set[SessionKey] = field(default_factory=set)
    places: set[SessionKey] = field(default_factory=set)
    session_ids: set[str] = field(default_factory=set)
    transcripts: dict[str, SessionKey] = field(default_factory=dict)
    forks: list[tuple[str, SessionKey]] = field(default_factory=list)
    origins: dict[SessionKey, frozenset[SessionKey] | None] = field(default_factory=dict)
    inbounds: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    aliases: set[str] = field(default_factory=set)
    needles: set[str] = field(default_factory=set)
    common: int = 0
    spoken: dict[Instant, tuple[Spoken, ...]] = field(default_factory=dict)
    archived: set[SessionKey] = field(default_factory=set)
    overheard: set[str] = field(default_factory=set)
    last_at: Instant | None = None

    def __bool__(self) -> bool:
        return bool(self.keys or self.inbounds or self.shared or self.places)

    def is_apart(self, key: SessionKey | None) -> bool:
        """Whether a session is known, and one in which they never spoke."""
        return key is not None and not any(key in held for held in (self.keys, self.shared, self.archived))

    def find_origins(self, line: str, traces: Traces) -> set[SessionKey]:
        """The sessions to which a line came that is surely theirs.

        Where the words are forgotten by now, somebody who wrote elsewhere in that moment would lose theirs otherwise.
        """
        if not any(int(at) in self.spoken for at in _MOMENT.findall(line)):
            return set()
        try:
            return find_spoken(read_entry((0, line, 0)).entry, traces)
        except StoreUnreadable:
            return set()

    def traces(self, key: SessionKey | None = None) -> Traces:
        """By what their share of a transcript of a session is recognised; without one, of any."""
        traces = Traces(spoken=self.spoken, names=frozenset(self.names), cleaner=self.cleaner())
        return self.narrow(traces, key)

    def narrow(self, traces: Traces, key: SessionKey | None) -> Traces:
        """Traces as they hold in one session."""
        origins = self.origins.get(key, frozenset()) if key is not None else None
        return traces if key is None or origins is None else traces.within({key, *origins})

    def cleaner(self) -> Cleaner:
        """What finds them in a text."""
        return build_cleaner(self.needles)

    def params(self) -> dict[str, str]:
        """The parameters of the queries of ``erase.sql``."""
        return {
            "keys": _array(self.keys | self.places),
            "shared": _array(self.shared),
            "session_ids": _array(self.session_ids),
            "inbounds": _array(self.inbounds),
            "turns": _array(self.turns),
            "names": _array(self.person.principals | self.aliases),
        }


def _array(values: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(values)).decode()


async def walk(engine: Engine, query: str) -> AsyncIterator[Row]:
    """Every row of a query that is asked slice by slice, by the number in its first column."""
    after = 0
    while rows := await engine.read(partial(ask, query=query, params={"after": after, "limit": _SLICE})):
        for row in rows:
            yield row
        after = rows[-1][0]


def ask(tx: Transaction, *, query: str, params: Params) -> list[Row]:
    """The rows of a query."""
    return tx.all(query, params)


@dataclass(slots=True)
class _Senders:
    """What the first walk notes beside the person's own messages: who else wrote where, and whose sessions are.

    `called` are keys that a client or another source named, to have its message there; whoever came through a channel
    wrote where they were led, and is one of the `others`.
    """

    owners: dict[SessionKey, str | None] = field(default_factory=dict)
    children: dict[str, set[SessionKey]] = field(default_factory=dict)
    theirs: set[SessionKey] = field(default_factory=set)
    others: set[SessionKey] = field(default_factory=set)
    called: set[SessionKey] = field(default_factory=set)
    other_names: set[str] = field(default_factory=set)
    moments: set[Instant] = field(default_factory=set)


Recall = Callable[["Holdings"], Sequence[tuple[Instant, Spoken]]]
"""Words of theirs that only files hold any more, with their moments; what is overheard is noted. Blocking."""


async def find_holdings(engine: Engine, person: Person, links: Links, *, recall: Recall = lambda _: ()) -> Holdings:
    """What is held about a person; `recall` looks in archives."""
    test = PersonTest(person=person, links=links)
    found, seen = Holdings(person=person), _Senders()
    async for row in walk(engine, "walk_inbox"):
        _note_message(row, test, found, seen)
    await _note_others(engine, test, found, seen.moments)
    async for _, key, owner, spawned_by, _ in walk(engine, "walk_sessions"):
        seen.owners[key] = owner
        if spawned_by is not None:
            seen.children.setdefault(spawned_by, set()).add(key)
    transcripts: dict[int, tuple[str, SessionKey]] = {}
    forks: list[tuple[str, str, SessionKey]] = []
    async for row_id, session_id, key, parent in walk(engine, "walk_transcripts"):
        transcripts[row_id] = (session_id, key)
        seen.owners.setdefault(key, None)
        if parent is not None:
            forks.append((parent, session_id, key))
    _sort_sessions(test, found, seen)
    keys = {SessionKey(row[0]) for row in await engine.read(partial(ask, query="list_place_keys", params={}))}
    found.places = {key for key in keys - found.keys - found.shared if test.owns(key, None)}
    await _follow_copies(engine, found, {row: key for row, (_, key) in transcripts.items()})
    _follow_forks(found, [*transcripts.values()], forks)
    found.transcripts = dict(transcripts.values())
    found.forks = [(parent, key) for parent, _, key in forks]
    found.session_ids = {session_id for session_id, key in transcripts.values() if key in found.keys}
    keys_of = {row: key for row, (_, key) in transcripts.items()}
    await _recall(engine, found, keys_of, recall)
    wanted = _wanted_words(found)
    common = await _find_common(engine, wanted, found, seen, keys_of)
    found.needles, found.common = wanted - common, len(wanted & common)
    return found


async def find_common_by_now(engine: Engine, found: Holdings, links: Links) -> set[str]:
    """Which of the words that are looked for others wrote or bear by now: somebody may have come since it was found.

    Whose a message or a session is, is asked anew: what is still the person's makes no word of theirs another's.
    """
    test, seen = PersonTest(person=found.person, links=links), _Senders()
    again = Holdings(person=found.person)
    async for row in walk(engine, "walk_inbox"):
        _note_message(row, test, again, seen)
    async for _, key, owner, _, _ in walk(engine, "walk_sessions"):
        seen.owners[key] = owner
    keys_of = {row_id: key async for row_id, _, key, _ in walk(engine, "walk_transcripts")}
    for key in keys_of.values():
        seen.owners.setdefault(key, None)
    _sort_sessions(test, again, seen)
    for name in ("keys", "shared", "inbounds", "aliases"):
        getattr(again, name).update(getattr(found, name))
    return await _find_common(engine, found.needles, again, seen, keys_of)


async def _note_others(engine: Engine, test: PersonTest, found: Holdings, moments: Collection[Instant]) -> None:
    """What others wrote at a moment of which only the moment is known of the person; `moments` are those of others."""
    unsure = {at for at in found.spoken.keys() & moments if any(spoken.text is None for spoken in found.spoken[at])}
    if not unsure:
        return
    said: dict[Instant, list[Spoken]] = {}
    async for _, _, key, _, received_at, _, text, _ in walk(engine, "walk_inbox"):
        submission = read_submission(text)
        at = received_at if submission is None else _moment(submission, received_at)
        if submission is not None and at in unsure and not test.wrote(submission):
            said.setdefault(at, []).append(_spoken(submission, key))
    for at, others in said.items():
        found.spoken[at] = tuple(tell_apart(spoken, others) for spoken in found.spoken[at])


def _spoken(submission: Submission, key: SessionKey) -> Spoken:
    inbound = submission.inbound
    name = inbound.sender.name or inbound.sender.id
    return Spoken(name=name, text=inbound.text or None, in_group=inbound.chat.type != "direct", key=key)


def _note_message(row: Row, test: PersonTest, found: Holdings, seen: _Senders) -> None:
    _, inbound_id, key, turn_id, received_at, _, text, acceptance = row
    submission = read_submission(text)
    if submission is None:
        return
    inbound = submission.inbound
    owner = _read_owner(acceptance)
    if owner is not None:
        seen.owners.setdefault(key, owner)
    if not test.wrote(submission):
        (seen.others if submission.session_key is None else seen.called).add(key)
        seen.other_names.add(inbound.sender.name or "")
        seen.moments.add(_moment(submission, received_at))
        return
    seen.theirs.add(key)
    found.inbounds.add(inbound_id)
    if turn_id is not None:
        found.turns.add(turn_id)
    spoken = _spoken(submission, key)
    # Context shows a name with plain spaces (ACT-7).
    found.names.update((spoken.name, " ".join(spoken.name.split())))
    if test.is_id(inbound.channel, inbound.sender.id):
        found.aliases.add(f"{inbound.channel}:{inbound.sender.id}".lower())
    at = _moment(submission, received_at)
    found.spoken[at] = (*found.spoken.get(at, ()), spoken)
    found.last_at = max(found.last_at or received_at, received_at)


def _moment(submission: Submission, received_at: Instant) -> Instant:
    """When a message was written, as transcripts say it."""
    at = submission.inbound.at
    return received_at if at is None else at


def read_submission(text: str) -> Submission | None:
    """A stored message; None for one that is damaged: the search for what is left finds it all the same (LOSS-10)."""
    try:
        return _submissions.decode(text)
    except msgspec.DecodeError:
        return None


def _read_owner(acceptance: str) -> str | None:
    try:
        return _owners.decode(acceptance).owner
    except msgspec.DecodeError:
        return None


def _sort_sessions(test: PersonTest, found: Holdings, seen: _Senders) -> None:
    """Which sessions are theirs alone, with those that were spawned by them, and which they shared."""
    for key, owner in seen.owners.items():
        if test.owns(key, owner):
            found.keys.add(key)
    for key in seen.theirs - found.keys:
        # A session that was deleted has no row to say whose it was; its key does, also where a client wrote there too.
        is_called = key in seen.called and not test.owns(key, seen.owners.get(key))
        is_alone = parse_key(key).type == "direct" and key not in seen.others and not is_called
        (found.keys if is_alone else found.shared).add(key)
    waiting = list(found.keys)
    while waiting:
        for child in seen.children.get(waiting.pop(), set()) - found.keys:
            found.keys.add(child)
            waiting.append(child)
    found.shared -= found.keys


async def _follow_copies(engine: Engine, found: Holdings, keys: Mapping[int, SessionKey]) -> None:
    """Sessions with lines of theirs that came to another one: an archive or an export was put back there."""
    traces = Traces(spoken=found.spoken)
    carried: dict[SessionKey, set[SessionKey]] = {}
    async for transcript, line in _walk_words(engine):
        key = keys.get(transcript)
        if key is not None and found.is_apart(key):
            origins = found.find_origins(line, traces)
            if origins:
                carried.setdefault(key, set()).update(origins)
    found.shared.update(carried)
    found.origins.update({key: frozenset(origins) for key, origins in carried.items()})


def _follow_forks(
    found: Holdings, transcripts: Sequence[tuple[str, SessionKey]], forks: Sequence[tuple[str, str, SessionKey]]
) -> None:
    """Transcripts that begin as copies of those they spoke in: what is copied is theirs, what came after is not."""
    taken = {session_id for session_id, key in transcripts if key in found.keys | found.shared}
    keys = dict(transcripts)
    # A fork is written after its parent, so one walk in order finds forks of forks too.
    for parent, session_id, key in forks:
        before, known = found.origins.get(key, frozenset()), keys.get(parent)
        others = found.origins.get(known, frozenset()) if known is not None else None
        found.origins[key] = None if before is None or others is None else before | others | {keys[parent]}
        # A thread began with what its parent had (KEY-18), also where that was deleted since then.
        above = parent_key(key) if known is None else None
        if parent in taken or above in found.keys | found.shared:
            taken.add(session_id)
            found.shared.update({key} - found.keys)


async def _walk_words(engine: Engine) -> AsyncIterator[tuple[int, str]]:
    """Every line of somebody's message, with the row of its transcript."""
    at = (0, 0)
    while rows := await engine.read(
        partial(ask, query="walk_lines", params={"transcript": at[0], "seq": at[1], "limit": _SLICE})
    ):
        for transcript, _, kind, line in rows:
            if kind == "message" and '"role":"user"' in line:
                yield transcript, line
        at = rows[-1][:2]


async def _recall(engine: Engine, found: Holdings, keys: Mapping[int, SessionKey], recall: Recall) -> None:
    """Look in transcripts and archives for words of theirs that went from the messages with a deleted session."""
    if all(spoken.text is not None for each in found.spoken.values() for spoken in each):
        return
    traces = Traces(spoken=found.spoken, names=frozenset(found.names))
    by_key: dict[SessionKey | None, Traces] = {}
    recalled: list[tuple[Instant, Spoken]] = []
    async for transcript, line in _walk_words(engine):
        key = keys.get(transcript)
        if not found.is_apart(key):
            by_key[key] = by_key.get(key) or found.narrow(traces, key)
            with contextlib.suppress(StoreUnreadable):
                entry = read_entry((0, line, 0)).entry
                one = recall_words(entry, by_key[key])
                recalled += [one] if one is not None else []
                found.overheard.update(recall_context(entry, by_key[key]))
    recalled += await asyncio.to_thread(recall, found)
    for at, spoken in recalled:
        found.spoken[at] = (*found.spoken[at], spoken)


def _wanted_words(found: Holdings) -> set[str]:
    """The names, ids, keys and words of a person that are long enough to be looked for."""
    texts = (spoken.text for each in found.spoken.values() for spoken in each if spoken.text)
    words = set(extract_needles((*texts, *found.overheard))) | {str(key) for key in found.keys | found.places}
    names = {name for name in found.names if not name.islower() or " " in name or len(name) >= _LONG_NAME_CHARS}
    # Rows keep a name in lower case too, to be searched by; a single word may be anybody's in lower case.
    names |= {name.lower() for name in names if " " in name}
    ids = {*found.person.principals, *found.aliases, *(one.peer_id for one in found.person.ids)}
    ids |= {alias.partition(":")[2] for alias in (*found.aliases, *found.person.principals)}
    told = {name for name in names if len(name) >= _SHORTEST_NAME} | {one for one in ids if len(one) >= SHORTEST}
    return set(choose_needles((word for word in words if len(word) >= SHORTEST), names=told))


async def _find_common(
    engine: Engine, wanted: set[str], found: Holdings, seen: _Senders, keys: Mapping[int, SessionKey]
) -> set[str]:
    """Which of the words others wrote themselves, outside of the sessions that they shared with the person."""
    cleaner = build_cleaner(wanted)
    apart = found.keys | found.shared
    common = {word for name in seen.other_names for word in cleaner.find_all(name)}
    async for _, inbound_id, key, _, _, _, text, _ in walk(engine, "walk_inbox"):
        submission = None if inbound_id in found.inbounds else read_submission(text)
        words = submission.inbound.text if submission is not None else ""
        # In a shared session others may quote the person; but who says the same and nothing else says it themselves.
        common.update(cleaner.find_all(words) if key not in apart else wanted & {words.strip()})
    async for transcript, line in _walk_words(engine):
        if keys.get(transcript) not in apart:
            common.update(cleaner.find_all(line))
    return {word for word in common if word not in found.person.principals | found.aliases or ":" not in word}
