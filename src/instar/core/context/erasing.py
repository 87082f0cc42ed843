"""A transcript of several people without the words of one of them (LEAK-11).

What belongs here: which lines of a shared transcript are theirs, what stands there instead, and what becomes of the
agent's lines that came of them. What does not: which transcripts there are, and writing them.

What becomes of a line:

* what the person wrote is replaced by a sentence that says that somebody who was erased spoke here;
* what the agent said, thought, called and read in answer to it goes too: it was made of their words;
* a summary that was made after they spoke is emptied and keeps nothing back, so that the next one is made anew of the
  lines as they are now;
* everybody else's words stay. Only the person's names, ids and distinctive words are blanked out in them.

Lines keep their ids, places and times, so the tree and everything that points into it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from instar.core.context.envelope import CURRENT_MESSAGE_MARKER, ENVELOPE_KEY, read_envelope
from instar.core.model.entry import (
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    Block,
    BranchSummaryEntry,
    CompactionEntry,
    CustomMessageEntry,
    MessageEntry,
    OtherMessage,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant, SessionKey
from instar.core.policy.needles import BLANK, NO_WORDS, Cleaner
from instar.core.transcript.codec import format_entry, parse_entry
from instar.core.transcript.injected import is_injected
from instar.core.transcript.text import content_text

__all__ = [
    "ANSWER_ERASED",
    "SUMMARY_ERASED",
    "WORDS_ERASED",
    "Change",
    "Spoken",
    "Traces",
    "copy_entries",
    "erase_entries",
    "find_spoken",
    "is_called_after",
    "recall_words",
    "tell_apart",
]

WORDS_ERASED: Final = "[Somebody who was erased at their wish spoke here.]"
ANSWER_ERASED: Final = "[What was answered here to somebody who was erased went with their words.]"
SUMMARY_ERASED: Final = "[A summary that held words of somebody who was erased.]"

Change = Literal["words", "answer", "summary", "quote"]
"""Why a line is another one now: it was theirs, it answered them, it summarised them, it named or quoted them."""

_STRUCTURE: Final = frozenset(
    {
        "type",
        "id",
        "parentId",
        "timestamp",
        "role",
        "api",
        "provider",
        "model",
        "stopReason",
        "toolCallId",
        "customType",
    }
    | {"firstKeptEntryId", "targetId", "fromId", "mimeType", "data", "usage"}
)
"""Fields that hold no words: names of the format, ids inside the transcript, images."""

_UNMARKED: Final = CURRENT_MESSAGE_MARKER.strip("[]")
"""What context shows of words that would end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One message of the person: under which name they wrote it, and what; `text` None where that is forgotten.

    With `in_group` a line of it says who wrote it. `key` is the session that it came to, None for any. `others` are
    words that others wrote at its moment, by which theirs are told from what is forgotten. `rivals` are sessions to
    which others wrote at its moment what nothing tells from it: their words are forgotten too, or they have its name.
    """

    name: str
    text: str | None
    in_group: bool = False
    key: SessionKey | None = None
    others: frozenset[str] = frozenset()
    rivals: frozenset[SessionKey] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """By what a person's share of a transcript is recognised.

    `spoken` are their messages by the time that the transcript has for them. `names` are all names that they wrote
    under. `cleaner` blanks out names, ids and distinctive words in what others said.
    """

    spoken: Mapping[Instant, tuple[Spoken, ...]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    cleaner: Cleaner = NO_WORDS

    def within(self, keys: Collection[SessionKey]) -> Traces:
        """The same for transcripts whose lines came to these sessions alone.

        What is forgotten is recognised by its moment, and others speak elsewhere at the same moment.
        """
        forgotten = {at for at, each in self.spoken.items() if any(spoken.text is None for spoken in each)}
        if not forgotten:
            return self
        here = frozenset(keys)
        return replace(self, spoken={**self.spoken, **{at: _within(self.spoken[at], here) for at in forgotten}})

    def surely(self) -> Traces:
        """The same without what may be another's as well: an erasure takes that too, and a copy leaves it out."""
        unsure = {at for at, each in self.spoken.items() if any(spoken.rivals for spoken in each)}
        left = {at: tuple(one for one in self.spoken[at] if not one.rivals) for at in unsure}
        return replace(self, spoken={**self.spoken, **left}) if unsure else self


def _within(each: Sequence[Spoken], keys: frozenset[SessionKey]) -> tuple[Spoken, ...]:
    """What was spoken at one moment, as far as it may stand in these sessions."""
    here = (one for one in each if one.text is not None or one.key is None or one.key in keys)
    return tuple(one if one.text is not None else replace(one, rivals=one.rivals & keys) for one in here)


@dataclass(slots=True)
class _Walk:
    """Where a walk over a transcript stands: whether the person has spoken, and whether the agent answers them now.

    While an answer `is_open` whoever speaks is answered with it: they joined the turn, or were collected for it. A copy
    `is_strict`: whose turn was cut is answered no more, so there only who was collected with them is.
    """

    root: EntryId | None = None
    has_spoken: bool = False
    is_answer: bool = False
    is_open: bool = False
    is_strict: bool = False


def erase_entries(entries: Iterable[AnyEntry], traces: Traces) -> Iterator[tuple[AnyEntry, Change | None]]:
    """Every line in order, as it is without the person, and why it changed; None and the same object where it did not.

    `entries` are all lines of a transcript, from its first.
    """
    walk = _Walk()
    for entry in entries:
        walk.root = walk.root or entry.id or None
        yield _erase(entry, traces, walk)


def copy_entries(entries: Iterable[AnyEntry], traces: Traces) -> Iterator[AnyEntry]:
    """Their lines and the answers to them, for a copy that goes to the person: without what others said beside them.

    `entries` are all lines of a transcript that they shared, from its first. What may be another's is left out.
    """
    sure = traces.surely()
    known = {at: tuple(one for one in each if one.text is not None) for at, each in sure.spoken.items()}
    walk, told = _Walk(is_strict=True), replace(sure, spoken=known)
    for entry in entries:
        change = _erase(entry, sure, walk)[1]
        match entry:
            case MessageEntry(message=UserMessage() as message) if change == "words":
                yield replace(entry, message=_copy_words(message, told))
            case CustomMessageEntry() if change == "words":
                yield _copy_repeated(entry, told)
            case _ if change == "answer":
                yield entry
            case _:
                pass  # of others


def _erase(entry: AnyEntry, traces: Traces, walk: _Walk) -> tuple[AnyEntry, Change | None]:
    match entry:
        case MessageEntry(message=UserMessage() as message):
            is_theirs = _is_theirs(message, traces)
            goes_on = _is_collected(message) if walk.is_strict else walk.is_open
            walk.is_answer = is_theirs or (walk.is_answer and goes_on)
            walk.is_open, walk.has_spoken = True, walk.has_spoken or is_theirs or _is_heard(message, traces)
            return (_mark(entry, message, traces), "words") if is_theirs else _clean(entry, traces)
        case MessageEntry() if is_injected(entry.message):
            return _clean(entry, traces)
        case MessageEntry():
            walk.is_open = _is_waiting(entry.message)
            if walk.is_answer:
                return replace(entry, message=_empty(entry.message)), "answer"
            return _clean(entry, traces)
        case CustomMessageEntry() if _repeats(entry, traces):
            walk.is_answer = walk.has_spoken = True
            return replace(entry, content=WORDS_ERASED, details=None, extra={}), "words"
        case CustomMessageEntry(content=str() as content):
            told = _clean_context(content, traces)
            if told == content:
                return _clean(entry, traces)
            walk.has_spoken |= told != traces.cleaner.clean(content)
            return _clean(replace(entry, content=told), traces)[0], "quote"
        case CompactionEntry() if walk.has_spoken and entry.summary:
            kept = walk.root or entry.first_kept_id
            return replace(entry, summary="", first_kept_id=kept, details=None, extra={}), "summary"
        case BranchSummaryEntry() if walk.has_spoken:
            return replace(entry, summary=SUMMARY_ERASED, details=None, extra={}), "summary"
        case _:
            return _clean(entry, traces)


def recall_words(entry: AnyEntry, traces: Traces) -> tuple[Instant, Spoken] | None:
    """What they said in a line of theirs whose words no message holds any more, with its moment; None for other lines.

    A deleted session takes the words of its messages along, and may leave its transcripts. Where somebody else of that
    moment was erased, the sentence that stands there is nobody's words.
    """
    message = entry.message if isinstance(entry, MessageEntry) else None
    if not isinstance(message, UserMessage) or message.timestamp is None:
        return None
    words = content_text(message.content).strip()
    forgotten = [spoken for spoken in _find_same(message, traces) if spoken.text is None]
    if words in {"", WORDS_ERASED} or not forgotten:
        return None
    return message.timestamp, replace(forgotten[0], text=words)


def tell_apart(spoken: Spoken, others: Collection[Spoken]) -> Spoken:
    """One message of the person beside what `others` wrote at its moment: by what a line of it is told from theirs."""
    if spoken.text is not None:
        return spoken
    known = frozenset(one.text.strip() for one in others if one.text and one.text.strip())
    rivals = frozenset(one.key for one in others if one.key is not None and _is_rival(one, spoken))
    return replace(spoken, others=known, rivals=rivals)


def _is_rival(other: Spoken, spoken: Spoken) -> bool:
    """Whether nothing tells a line of another's message from one of theirs whose words are forgotten.

    In a group the names do, elsewhere the other's words; of words after a command nobody knows what is left of them.
    """
    if other.in_group:
        return other.name == spoken.name
    return not spoken.in_group and (other.text is None or other.text.lstrip().startswith("/"))


def find_spoken(entry: AnyEntry, traces: Traces) -> set[SessionKey]:
    """The sessions to which a line came that is theirs; nothing for other lines.

    Where that is not the session that the line is of, it was carried there: whosever it is, if all who may have written
    it wrote there.
    """
    message = entry.message if isinstance(entry, MessageEntry) else None
    same = _find_same(message, traces) if isinstance(message, UserMessage) else ()
    return {spoken.key for spoken in same if spoken.key is not None and not spoken.rivals - {spoken.key}}


def recall_context(entry: AnyEntry, traces: Traces) -> Iterator[str]:
    """What stands beside a message of another as theirs, and may be what no message holds any more.

    Whoever answers the message has read it too.
    """
    message = entry.message if isinstance(entry, MessageEntry) else None
    envelope = read_envelope(message) if isinstance(message, UserMessage) else None
    if envelope is None or not envelope.context:
        return
    starts = {f"{_plain(spoken.name)}: " for spoken in _all(traces) if spoken.text is None}
    for line in envelope.context.split("\n"):
        words = line.removeprefix("- ")
        yield from (words[len(start) :] for start in starts if words.startswith(start))


def is_called_after(first_words: str, traces: Traces) -> bool:
    """Whether the words by which a session is called are of a message of theirs, or what a command left of it."""
    texts = [_plain(spoken.text) for spoken in _all(traces) if spoken.text]
    return any(first_words in text or first_words.startswith(f"{text} [file: ") for text in texts)


# --- theirs -----------------------------------------------------------------------------------------------------------


def _is_theirs(message: UserMessage, traces: Traces) -> bool:
    """Whether a user message is one of theirs."""
    return any(_find_same(message, traces))


def _find_same(message: UserMessage, traces: Traces) -> Iterator[Spoken]:
    """Their messages of the same time, under the same name, with the same words."""
    if message.timestamp is None:
        return
    envelope = read_envelope(message)
    sender = None if envelope is None or envelope.sender is None else _bare_name(envelope.sender)
    words = content_text(message.content).strip()
    for spoken in traces.spoken.get(message.timestamp, ()):
        if (sender is None or sender == spoken.name) and _is_same(words, spoken, is_named=sender is not None):
            yield spoken


def _bare_name(sender: str) -> str:
    """A sender without the number that tells apart what was collected (QUEUE-5)."""
    head, space, name = sender.partition(" ")
    return name if space and head.startswith("#") and head[1:].isdigit() else sender


def _is_collected(message: UserMessage) -> bool:
    """Whether a message was answered together with the one before it (QUEUE-5)."""
    envelope = read_envelope(message)
    number = (envelope.sender or "").partition(" ")[0] if envelope is not None else ""
    return number.startswith("#") and number[1:].isdigit() and number != "#1"


def _is_same(words: str, spoken: Spoken, *, is_named: bool) -> bool:
    """Whether a line holds a message: whole, with its files named after it, or what a command left of it (CMD-7).

    Of a message whose words are forgotten only its moment and its name are left; what a client put into a group at the
    same moment has no name. A thread holds lines from above it, too: what others are known to have said then is theirs.
    """
    if spoken.text is None:
        return is_named or not (spoken.in_group or any(_is_whole(words, other) for other in spoken.others))
    wanted = spoken.text.strip()
    return _is_whole(words, wanted) or (bool(words) and wanted.endswith(words))


def _is_whole(words: str, wanted: str) -> bool:
    return words == wanted or words.startswith(f"{wanted}\n")


def _repeats(entry: CustomMessageEntry, traces: Traces) -> bool:
    """Whether a line for the model says one of their messages again (QUEUE-7)."""
    content = content_text(entry.content)
    return any(bool(spoken.text) and content.endswith(spoken.text or "") for spoken in _all(traces))


def _mark(entry: MessageEntry, message: UserMessage, traces: Traces) -> MessageEntry:
    """The line that stands where they spoke. What others had said before it stays beside it."""
    kept: dict[str, object] = {}
    raw = message.extra.get(ENVELOPE_KEY)
    if isinstance(raw, Mapping):
        kept[ENVELOPE_KEY] = _clean_envelope(raw, traces) | {"sender": BLANK}
    marked = UserMessage(content=WORDS_ERASED, timestamp=message.timestamp, extra=kept)
    return replace(entry, message=marked, extra={})


def _copy_words(message: UserMessage, traces: Traces) -> UserMessage:
    """What they wrote; of what was said before it only what they had said (ACT-7, QUEUE-13)."""
    raw = message.extra.get(ENVELOPE_KEY)
    context = raw.get("context") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(context, str):
        return message
    own = "\n".join(line for line in context.split("\n") if _said(line, traces))
    return replace(message, extra={**message.extra, ENVELOPE_KEY: {**raw, "context": own}})


def _copy_repeated(entry: CustomMessageEntry, traces: Traces) -> AnyEntry:
    """A line for the model that says a message of theirs again, with that message alone."""
    content = content_text(entry.content)
    words = (one.text for one in _all(traces) if one.text and content.endswith(one.text))
    return replace(entry, content=max(words, key=len, default=""), details=None, extra={})


def _is_waiting(message: AnyMessage) -> bool:
    """Whether a turn goes on after a line of it: a tool is asked, or has answered."""
    calls = isinstance(message, AssistantMessage) and any(isinstance(block, ToolCall) for block in message.content)
    return calls or isinstance(message, ToolResultMessage)


# --- answers ----------------------------------------------------------------------------------------------------------


def _empty(message: AnyMessage) -> AnyMessage:
    """An answer without its words; calls and results keep their ids, so that they still belong together."""
    match message:
        case AssistantMessage():
            calls: list[Block] = [
                ToolCall(id=block.id, name=block.name, arguments={})
                for block in message.content
                if isinstance(block, ToolCall)
            ]
            content = (TextBlock(text=ANSWER_ERASED), *calls)
            return replace(message, content=content, error_message=None, extra={})
        case ToolResultMessage():
            return replace(message, content=(TextBlock(text=ANSWER_ERASED),), details=None, extra={})
        case _:
            return OtherMessage(role="custom", raw={"role": "custom", "content": ANSWER_ERASED, "display": False})


# --- quotes -----------------------------------------------------------------------------------------------------------


def _clean(entry: AnyEntry, traces: Traces) -> tuple[AnyEntry, Change | None]:
    """A line of others: their words, with what names or quotes the person blanked out."""
    raw = format_entry(entry)
    cleaned = {name: value if name in _STRUCTURE else _clean_field(value, name, traces) for name, value in raw.items()}
    return (entry, None) if cleaned == raw else (parse_entry(cleaned), "quote")


def _clean_field(value: object, name: str, traces: Traces) -> object:
    match value:
        case str():
            return traces.cleaner.clean(value)
        case Mapping() if name == ENVELOPE_KEY:
            return _clean_envelope(value, traces)
        case Mapping():
            return {
                key: each if key in _STRUCTURE else _clean_field(each, str(key), traces) for key, each in value.items()
            }
        case list() | tuple():
            return [_clean_field(each, name, traces) for each in value]
        case _:
            return value


def _clean_envelope(raw: Mapping[str, object], traces: Traces) -> dict[str, object]:
    """The facts beside a message, without the lines of context that the person wrote (ACT-7, QUEUE-13)."""
    cleaned = dict(raw)
    context, sender = raw.get("context"), raw.get("sender")
    if isinstance(context, str):
        cleaned["context"] = _clean_context(context, traces)
    if isinstance(sender, str):
        cleaned["sender"] = traces.cleaner.clean(sender)
    return cleaned


def _clean_context(context: str, traces: Traces) -> str:
    lines = (WORDS_ERASED if _said(line, traces) else traces.cleaner.clean(line) for line in context.split("\n"))
    return "\n".join(lines)


def _is_heard(message: UserMessage, traces: Traces) -> bool:
    """Whether they are told beside a message of somebody else."""
    envelope = read_envelope(message)
    return envelope is not None and any(_said(line, traces) for line in envelope.context.split("\n"))


def _said(line: str, traces: Traces) -> bool:
    """Whether a line of context is theirs: a name of theirs and a message in short, or a message that fell out."""
    words = line.removeprefix("- ")
    for name in map(_plain, traces.names):
        if words.startswith(f"{name}: "):
            said = words[len(name) + 2 :]
            return any(_plain(spoken.name) == name and _is_short(said, spoken.text) for spoken in _all(traces))
    return words != line and any(_fell_out(words, spoken) for spoken in _unplaced(traces))


def _fell_out(words: str, spoken: Spoken) -> bool:
    """Whether words without a name of theirs are a message that fell to a full queue.

    Where nobody knows any more what they wrote, a line that says of nobody that it is theirs counts as theirs.
    """
    if spoken.text is None:
        return not spoken.in_group or ": " not in words
    return _is_short(words, spoken.text)


def _unplaced(traces: Traces) -> Iterator[Spoken]:
    """Their messages; a forgotten one only where no line gave its words back."""
    for each in traces.spoken.values():
        known = [spoken for spoken in each if spoken.text is not None]
        yield from known or each


def _is_short(line: str, text: str | None) -> bool:
    """Whether a line is a message as context shows it: in one line, cut where it is long, its files named behind it."""
    if text is None:
        return True
    words, shown = _plain(text).replace(CURRENT_MESSAGE_MARKER, _UNMARKED), line.rstrip("…")
    return bool(shown) and (words.startswith(shown) or shown.startswith(f"{words} [file: ".lstrip()))


def _plain(text: str) -> str:
    """A name or a message in one line, as context shows it."""
    return " ".join(text.split())


def _all(traces: Traces) -> Iterator[Spoken]:
    return (spoken for each in traces.spoken.values() for spoken in each)
