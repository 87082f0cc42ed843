"""Long transcripts: planning what a model sees of them, and what a turn on them costs.

The transcript of the first rows has 10,000 messages with tool calls and long results, so it does not fit any window.
The turns run through a gateway in this process with a runner that reads the whole prompt, as a real one must, and
answers at once. After a compaction a turn is compared with one of a fresh session that holds just what the model
still sees of the long one. The last rows are about a real coding session; they tell estimated tokens, before and
after, with a summary of a thousand tokens standing in for a model's.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from bench.harness import Options, Row, Sample, Table, await_in_turns, flat_aim, timed
from bench.inside import open_gateway, open_store, take_turn
from bench.seeds import build_words, copy_store, store_transcript
from instar.core.context.build import build_view
from instar.core.context.compaction import CompactionPlan, CompactionSettings, plan_compaction
from instar.core.context.compaction_entry import build_entry
from instar.core.context.pruning import PruningSettings, plan_pruning
from instar.core.context.tokens import estimate_message
from instar.core.context.view import ContextView
from instar.core.model.entry import (
    ZERO_USAGE,
    AnyEntry,
    AnyMessage,
    AssistantMessage,
    CompactionEntry,
    MessageEntry,
    TextBlock,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from instar.core.model.ids import EntryId, Instant, SessionId, SessionKey
from instar.core.transcript.reading import read_transcript
from instar.core.transcript.repair import PlacedMessage
from instar.core.turn.prompt import build_prompt_settings, plan_prompt
from instar.ports.runner import Finished, ModelRequest, RunnerEvent, TextDelta
from instar.system.clock import SystemClock

TITLE = "Long transcripts"

ENTRIES = 10_000
WINDOW = 200_000
REAL = "transcripts/large-session.jsonl"
SUMMARY = "What was done, in order. " * 160
LATER_MS = 600_000
"""How long after the last answer a request is made: the prompt cache of the provider is cold, so pruning runs."""

LONG, FRESH = SessionKey("agent:main:bench:long"), SessionKey("agent:main:bench:fresh")
LONG_ID, FRESH_ID = (SessionId(f"{name}-0000-4000-8000-000000000000") for name in ("ffffffff", "eeeeeeee"))

_NOW = SystemClock().now()


async def measure(options: Options) -> Table:
    """Every row of the table."""
    entries = build_transcript(ENTRIES)
    rows = [*measure_plans(options, entries), *await measure_turns(options, entries), *measure_real(options.data)]
    return Table(title=TITLE, text=__doc__.partition("\n\n")[2], rows=tuple(rows))


class ReadingRunner:
    """Keeps `instar.ports.runner.Runner`: reads every message it is given and answers in a few words."""

    @property
    def name(self) -> str:
        """``reading``."""
        return "reading"

    async def run(self, request: ModelRequest) -> AsyncGenerator[RunnerEvent, None]:
        """A short answer; a request for a summary gets one that is long enough to count."""
        is_summary = len(list(request.messages)) == 1 and "record" in request.system
        text = SUMMARY if is_summary else "Yes, they are on it."
        yield TextDelta(text=text)
        yield Finished(message=build_answer(text))

    async def close(self) -> None:
        """Nothing to let go of."""


def build_answer(text: str, *calls: ToolCall) -> AssistantMessage:
    """What an assistant says, with the calls it makes."""
    return AssistantMessage(
        content=(TextBlock(text=text), *calls),
        api="openai-completions",
        provider="bench",
        model="echo",
        usage=ZERO_USAGE,
        stop_reason="toolUse" if calls else "stop",
        timestamp=_NOW,
    )


def build_transcript(count: int) -> list[AnyEntry]:
    """So many messages: a question, a call, a result of some thousand characters, an answer, and so on."""
    entries: list[AnyEntry] = []
    for number in range(count):
        parent_id = entries[-1].id if entries else None
        message = build_message(number)
        entries.append(MessageEntry(id=EntryId(f"{number:08x}"), parent_id=parent_id, timestamp=_NOW, message=message))
    return entries


def build_message(number: int) -> AnyMessage:
    """The message at a place of such a transcript."""
    turn, step = divmod(number, 4)
    call = ToolCall(id=f"call-{turn}", name="read", arguments={"path": f"notes/{turn % 50}.md"})
    if step == 0:
        return UserMessage(content=build_words(number), timestamp=_NOW)
    if step == 2:
        content = (TextBlock(text=build_words(number, 400)),)
        return ToolResultMessage(
            tool_call_id=call.id, tool_name=call.name, content=content, is_error=False, timestamp=_NOW
        )
    return build_answer(build_words(number), *([call] if step == 1 else []))


# --- planning ---------------------------------------------------------------------------------------------------------


def measure_plans(options: Options, entries: Sequence[AnyEntry]) -> list[Row]:
    """The pure parts, by themselves."""
    view = build_view(entries)
    rounds = options.times(20)
    messages = view.messages()
    prompt = build_prompt_settings(
        model_provider="anthropic",
        model_id="m",
        window_tokens=WINDOW,
        compaction=CompactionSettings(),
        pruning=PruningSettings(mode="cache-ttl"),
        fixed_tokens=1_000,
        zone=SystemClock().zone(),
    )
    later = Instant(_NOW + LATER_MS)
    parts: dict[str, Callable[[], object]] = {
        f"read {ENTRIES:,} entries into a view": lambda: build_view(entries),
        f"plan the pruning of {ENTRIES:,}": lambda: prune(messages, window=WINDOW, at=later, last_call_at=_NOW),
        f"plan the compaction of {ENTRIES:,}": lambda: plan(view, WINDOW),
        f"build the prompt of a turn on {ENTRIES:,}": lambda: plan_prompt(view, prompt, now=later),
    }
    return [Row(name=name, ours=timed(take(work, rounds))) for name, work in parts.items()]


def take(work: Callable[[], object], rounds: int) -> list[float]:
    """The seconds of each of so many calls."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return taken


def prune(
    messages: Sequence[PlacedMessage], *, window: int, at: Instant, last_call_at: Instant
) -> Sequence[PlacedMessage]:
    """The messages as a pruning pass leaves them."""
    settings = PruningSettings(mode="cache-ttl")
    return plan_pruning(messages, settings, window_tokens=window, now=at, last_call_at=last_call_at).messages


def plan(view: ContextView, window: int) -> CompactionPlan:
    """The plan of a compaction that is due."""
    found = plan_compaction(view, CompactionSettings(), window_tokens=window, reason="threshold")
    if not isinstance(found, CompactionPlan):
        raise TypeError(found.sentence)
    return found


# --- turns ------------------------------------------------------------------------------------------------------------


async def measure_turns(options: Options, entries: Sequence[AnyEntry]) -> list[Row]:
    """Turns on the long session after its compaction, and on a fresh one with the same in view."""
    path = await copy_store(options, 100, options.folder / "context")
    async with open_store(path) as store:
        await store_transcript(store, LONG, session_id=LONG_ID, entries=entries)
        async with open_gateway(store, runner=ReadingRunner(), window_tokens=WINDOW) as gateway:
            started = time.perf_counter()
            done = await gateway.upkeep.compact(LONG, who="bench")
            compacting = time.perf_counter() - started
            if done.status != "compacted":
                raise RuntimeError(done.why)
            kept = (await store.load_context(LONG_ID)).entries
            seen = [stored.entry for stored in kept if not isinstance(stored.entry, CompactionEntry)]
            await store_transcript(store, FRESH, session_id=FRESH_ID, entries=with_summary(seen))

            async def run_long(_number: int) -> None:
                await take_turn(gateway, LONG)

            async def run_fresh(_number: int) -> None:
                await take_turn(gateway, FRESH)

            taken = await await_in_turns({"long": run_long, "fresh": run_fresh}, options.times(300), warm_up=50)
    return [
        Row(name=f"compact {ENTRIES:,} entries, the model's time left out", ours=timed([compacting])),
        Row(
            name=f"a turn on {ENTRIES:,} entries after the compaction",
            ours=timed(taken["long"]),
            against=f"a fresh session of {len(seen)}",
            theirs=timed(taken["fresh"]),
            aim=flat_aim(),
        ),
    ]


def with_summary(seen: Sequence[AnyEntry]) -> list[AnyEntry]:
    """The same entries as a transcript of their own, with the words of the summary as its first message."""
    first = MessageEntry(
        id=EntryId("a0000000"),
        parent_id=None,
        timestamp=_NOW,
        message=UserMessage(content=SUMMARY, timestamp=_NOW),
    )
    hung: list[AnyEntry] = [first]
    for entry in seen:
        if isinstance(entry, MessageEntry):
            moved = MessageEntry(id=entry.id, parent_id=hung[-1].id, timestamp=entry.timestamp, message=entry.message)
            hung.append(moved)
    return hung


# --- a real session ---------------------------------------------------------------------------------------------------


def measure_real(data: Path | None) -> list[Row]:
    """How large a real session is in two windows: as it is, pruned, compacted."""
    path = data / REAL if data is not None else None
    if path is None or not path.is_file():
        return [Row(name="a real coding session", skipped=f"there is no {REAL} in INSTAR_DATA")]
    entries = list(read_transcript(path.read_bytes().splitlines(), json.loads).entries)
    return [row for window in (32_000, 200_000) for row in measure_window(entries, window)]


def measure_window(entries: Sequence[AnyEntry], window: int) -> list[Row]:
    """The sizes for one window."""
    view = build_view(entries)
    messages = view.messages()
    last_call_at = view.last_call_at or _NOW
    pruned = prune(messages, window=window, at=Instant(last_call_at + LATER_MS), last_call_at=last_call_at)
    entry = build_entry(plan(view, window), SUMMARY, entry_id=EntryId("c0000000"), parent_id=entries[-1].id, at=_NOW)
    if entry is None:
        raise RuntimeError("the compaction does not make the session smaller")
    before = count(messages)
    after = count(build_view([*entries, entry]).messages())
    name = f"a real session of {len(entries):,} entries, window of {window:,}"
    return [
        Row(name=f"{name}: pruned", ours=tokens(count(pruned)), against="whole", theirs=tokens(before)),
        Row(name=f"{name}: compacted", ours=tokens(after), against="whole", theirs=tokens(before)),
    ]


def count(messages: Sequence[PlacedMessage]) -> int:
    """The estimate of all messages."""
    return sum(estimate_message(placed.message) for placed in messages)


def tokens(number: int) -> Sample:
    """A number of tokens."""
    return Sample(values=(float(number),), unit="tokens")
