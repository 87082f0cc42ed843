"""Values ⇄ columns: what a row means, and how a value is kept in one (docs/formats/database.md).

Groups of fields are kept as JSON, written and read by msgspec straight from the dataclasses of `instar.core.model`.
Reading the same text again gives the same value from memory: values are frozen, so they can be shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from instar.core.context.tokens import estimate_entry
from instar.core.lifecycle.group_name import name_session
from instar.core.model.change import Acceptance, Acknowledgement, InboxItem, Submission, TranscriptHead
from instar.core.model.decision import Decision, InputValue, RecordedDecision
from instar.core.model.entry import AnyEntry, Header, OtherEntry
from instar.core.model.ids import AgentId, SessionId, SessionKey
from instar.core.model.message import Attachment, Outbound, Target
from instar.core.model.query import DeliveryRow, StoredEntry, UsageRow
from instar.core.model.session import Session
from instar.core.routing.key import row_kind
from instar.core.transcript.codec import format_entry, format_header, parse_entry, parse_header
from instar.errors import InvariantBroken, StoreUnreadable
from instar.stores.known import TranscriptRow
from instar.stores.transaction import Row

__all__ = [
    "Line",
    "forget_parsed",
    "forget_words",
    "format_json",
    "format_line",
    "format_session",
    "format_submission",
    "line_bytes",
    "parse_session",
    "parse_session_once",
    "parse_target",
    "read_acknowledgement",
    "read_decision",
    "read_delivery",
    "read_entry",
    "read_inbox_item",
    "read_submission",
    "read_transcript",
    "read_usage",
    "session_columns",
    "write_header",
]

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode
_objects: Final[msgspec.json.Decoder[Mapping[str, object]]] = msgspec.json.Decoder(Mapping[str, object])
_inputs: Final[msgspec.json.Decoder[Mapping[str, InputValue]]] = msgspec.json.Decoder(Mapping[str, InputValue])
_sessions: Final = msgspec.json.Decoder(Session)
_submissions: Final = msgspec.json.Decoder(Submission)
_acceptances: Final = msgspec.json.Decoder(Acceptance)
_acknowledgements: Final = msgspec.json.Decoder(Acknowledgement)
_attachments: Final = msgspec.json.Decoder(tuple[Attachment, ...])
_targets: Final = msgspec.json.Decoder(Target)

_SHORT: Final = 2_000
"""Lines of at most so many characters are remembered once read: most messages, and at most some 8 MB of them."""

_EMPTY: Final = Session(key=SessionKey(""), agent_id=AgentId(""), session_id=SessionId(""))
_GROUPS: Final = {
    name: tuple((field.name, getattr(getattr(_EMPTY, name), field.name)) for field in fields(getattr(_EMPTY, name)))
    for name in ("lifecycle", "naming", "origin", "delivery", "overrides", "counters")
}
"""The fields of each group with what they are when nothing is set."""


def format_json(value: object) -> str:
    """The JSON text of a value of `instar.core.model`."""
    return _encode(value).decode()


def _decode(decoder: msgspec.json.Decoder[T], text: str, what: str) -> T:
    """The value of a stored text. Raises `StoreUnreadable` where the text is not what was written there."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        # What begins so is a sealed value that did not open (`instar.stores.sealing`).
        is_sealed = text.startswith("\x02")
        raise StoreUnreadable(
            f"A stored {what} cannot be read",
            why="it is encrypted, and its key is gone or it was changed" if is_sealed else str(error),
            fix="Run `instar doctor`; it names the row and what can be done (docs/formats/database.md).",
        ) from error


# --- sessions ---------------------------------------------------------------------------------------------------------


def format_session(session: Session) -> str:
    """The JSON of a session; fields and groups in which nothing is set are left out."""
    row: dict[str, object] = {
        "key": session.key,
        "agent_id": session.agent_id,
        "session_id": session.session_id,
        "owner": session.owner,
    }
    for name, defaults in _GROUPS.items():
        group = getattr(session, name)
        if group is getattr(_EMPTY, name):
            continue
        # Half of a row would be nulls, and lists compare whole rows with those they have read before.
        found = {field: value for field, default in defaults if (value := getattr(group, field)) != default}
        if found:
            row[name] = found
    if session.extra:
        row["extra"] = session.extra
    return _encode(row).decode()


_KNOWN_MAX: Final = 4096
_START_CHARS: Final = 120
_known_sessions: Final[dict[str, tuple[str, Session]]] = {}
"""What was read last of a session, by the first characters of its text, which hold its key. A list compares each text
with the one that it read before; to look up whole texts by their hashes would take twice as long.
"""


def parse_session(text: str) -> Session:
    """The session that `format_session` wrote. Raises `StoreUnreadable`."""
    start = text[:_START_CHARS]
    known = _known_sessions.get(start)
    if known is not None and known[0] == text:
        return known[1]
    session = parse_session_once(text)
    if len(_known_sessions) >= _KNOWN_MAX:
        _known_sessions.clear()
    _known_sessions[start] = text, session
    return session


def parse_session_once(text: str) -> Session:
    """As `parse_session`, without remembering it: for walks over many sessions, each of which is read once."""
    return _decode(_sessions, text, "session")


def session_columns(session: Session) -> dict[str, str | int | None]:
    """Every column of a session's row; those beside `fields` are what lists sort, filter and search by."""
    naming, lifecycle = session.naming, session.lifecycle
    names = (name_session(session), naming.label, naming.subject, session.session_id, session.key)
    return {
        "key": session.key,
        "agent_id": session.agent_id,
        "session_id": session.session_id,
        "kind": row_kind(session.key, chat_type=session.origin.chat_type),
        "owner": session.owner,
        "label": naming.label,
        "spawned_by": session.origin.spawned_by,
        "names": "\n".join(name for name in names if name).casefold(),
        "archived": int(lifecycle.archived_at is not None),
        "pinned": int(lifecycle.pinned_at is not None),
        "updated_at": lifecycle.updated_at or 0,
        "fields": format_session(session),
    }


# --- transcripts and entries ------------------------------------------------------------------------------------------


@lru_cache(
    maxsize=256
)  # those of the sessions that are in use; a walk over all would fill a larger one and leave it so
def _parse_header(text: str) -> Header:
    header = parse_header(_decode(_objects, text, "transcript header"))
    if header is None:
        raise InvariantBroken("a transcript row holds a header")
    return header


def write_header(header: Header) -> str:
    """The first line of a transcript, without its line end."""
    return _encode(format_header(header)).decode()


def read_transcript(row: Row) -> TranscriptRow:
    """The head of a transcript, from the columns of the fragment `head`.

    The last line carries the sums; without lines there is the header alone. A leaf that was not moved is the last
    line.
    """
    row_id, session_id, key, header, began_at, closed_at, reason, is_linear, context_seq, *ends = row
    last_seq, last_id, messages, size, leaf_seq, leaf_id = ends
    if leaf_seq is None:
        leaf_seq, leaf_id = last_seq or 0, last_id
    return TranscriptRow(
        id=row_id,
        leaf_seq=leaf_seq,
        head=TranscriptHead(
            session_id=session_id,
            key=key,
            header=_parse_header(header),
            began_at=began_at,
            leaf_id=leaf_id,
            next_seq=(last_seq or 0) + 1,
            message_count=messages or 0,
            bytes=size or line_bytes(header),
            is_linear=bool(is_linear),
            context_seq=context_seq,
            closed_at=closed_at,
            close_reason=reason,
        ),
    )


def line_bytes(text: str) -> int:
    """The bytes of a line in the mirror file, line end included."""
    return (len(text) if text.isascii() else len(text.encode())) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry as it is stored: its type, its line of the file without the line end, the estimate of its tokens."""

    type: str
    text: str
    tokens: int


def format_line(entry: AnyEntry) -> Line:
    """The stored form of an entry."""
    raw = format_entry(entry)
    kind = entry.type if isinstance(entry, OtherEntry) else str(raw["type"])
    return Line(type=kind, text=_encode(raw).decode(), tokens=estimate_entry(entry))


def read_entry(row: Row) -> StoredEntry:
    """An entry from the columns seq, line, tokens."""
    seq, line, tokens = row
    parse = _parse_line if len(line) <= _SHORT else _parse_line_once
    return StoredEntry(seq=seq, entry=parse(line), tokens=tokens)


def _parse_line_once(line: str) -> AnyEntry:
    return parse_entry(_decode(_objects, line, "entry"))


_parse_line: Final = lru_cache(maxsize=2048)(_parse_line_once)


def forget_parsed() -> None:
    """Forget the values of texts that were read: after words were erased, they must not stay in memory."""
    _known_sessions.clear()
    _parse_header.cache_clear()
    _parse_line.cache_clear()


# --- inbox and outbox -------------------------------------------------------------------------------------------------


def read_inbox_item(row: Row) -> InboxItem:
    """A message, from the columns of the fragment `item`."""
    inbound_id, seq, text, acceptance, received_at, state, turn_id, reason, ended_at, attachments = row
    submission = _decode(_submissions, text, "message")
    if attachments is not None:
        files = _decode(_attachments, attachments, "attachment")
        submission = replace(submission, inbound=replace(submission.inbound, attachments=files))
    return InboxItem(
        inbound_id=inbound_id,
        seq=seq,
        submission=submission,
        acceptance=_decode(_acceptances, acceptance, "acceptance"),
        received_at=received_at,
        state=state,
        turn_id=turn_id,
        reason=reason,
        ended_at=ended_at,
    )


def format_submission(submission: Submission) -> tuple[str, str | None]:
    """A message without its attachments, and the attachments; None if there are none."""
    inbound = submission.inbound
    if not inbound.attachments:
        return format_json(submission), None
    bare = replace(submission, inbound=replace(inbound, attachments=()))
    return format_json(bare), format_json(inbound.attachments)


def read_submission(text: str) -> Submission:
    """A stored message without its attachments."""
    return _decode(_submissions, text, "message")


def forget_words(text: str) -> str:
    """The stored message `text` without anything that was written in it."""
    submission = read_submission(text)
    inbound = replace(submission.inbound, text="", attachments=())
    return format_json(replace(submission, inbound=inbound))


def read_acknowledgement(text: str) -> Acknowledgement:
    """What a sender was told."""
    return _decode(_acknowledgements, text, "acknowledgement")


def parse_target(text: str) -> Target:
    """Where a reply goes. Raises `StoreUnreadable`."""
    return _decode(_targets, text, "reply's target")


def read_delivery(row: Row) -> DeliveryRow:
    """A reply, from the columns of the fragment `row` of the outbox."""
    (delivery_id, key, target, text, turn_id, state, reason, hand_outs, *times, platform_id) = row
    created_at, next_at, ended_at = times
    outbound = Outbound(
        delivery_id=delivery_id,
        target=parse_target(target),
        text=text,
        attempt=max(hand_outs, 1),
    )
    return DeliveryRow(
        outbound=outbound,
        session_key=key,
        turn_id=turn_id,
        state=state,
        hand_outs=hand_outs,
        created_at=created_at,
        next_at=next_at if ended_at is None else None,
        ended_at=ended_at,
        platform_id=platform_id,
        reason=reason,
    )


# --- decisions and usage ----------------------------------------------------------------------------------------------


def read_decision(row: Row) -> RecordedDecision:
    """A decision, from the columns of the fragment `row` of the decisions."""
    row_id, at, key, inbound_id, turn_id, kind, outcome, rule, inputs, who = row
    return RecordedDecision(
        id=row_id,
        at=at,
        decision=Decision(kind=kind, outcome=outcome, rule=rule, inputs=_decode(_inputs, inputs, "decision")),
        session_key=key,
        inbound_id=inbound_id,
        turn_id=turn_id,
        who=who,
    )


def read_usage(row: Row) -> UsageRow:
    """A sum over the ledger."""
    agent_id, provider, model, calls, *sums, cost = row
    given, made, cache_read, cache_write = sums
    return UsageRow(
        agent_id=agent_id,
        provider=provider,
        model=model,
        calls=calls,
        input_tokens=given,
        output_tokens=made,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        cost_usd=cost,
    )
