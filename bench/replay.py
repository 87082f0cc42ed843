"""Replay a recorded conversation through a whole gateway, with its own dates, and check what was stored.

    python bench/replay.py PATH [--scope main|per-peer|…] [--zone Europe/Berlin] [--keep DIR] [--json]

PATH is a conversation of the LoCoMo kind: ``session_N`` lists of turns (`speaker`, `text`) and ``session_N_date_time``.
In each dated session the one who speaks first writes, and the other's lines are the model's answers. Two lines of the
writer in a row are two messages, and the model says NO_REPLY to the first; two lines of the other in a row are one
answer of two paragraphs. A last line that nobody answered gets NO_REPLY as well. Lines are a minute apart.

The gateway is the real one: decisions, SQLite on disk, mirror. Only the model, the channel and the clock are twins, so
that months pass in seconds. Afterwards everything is read back: each line must be in one transcript, once; each new
life of a session must be explained; the mirror must hold what the database holds. Exits with 1 if something is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from instar.config.config import Config, parse_config
from instar.core.explain.story import tell
from instar.core.model.change import TranscriptHead
from instar.core.model.entry import AnyEntry, AssistantMessage, MessageEntry, UserMessage
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.query import DecisionQuery, SessionQuery
from instar.core.transcript.text import message_text
from instar.stores.mirror import open_mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.sqlite import SqliteStore
from instar.testing.clock import ManualClock
from instar.testing.gateway import GatewayInMemory
from instar.testing.runner import ScriptedRunner
from instar.testing.script import Asked, Reply

SILENT = "NO_REPLY"
LINE_GAP_MS = 60_000
CHANNEL = "telegram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A message, when it was written and by whom, and what the model says to it."""

    at: Instant
    speaker: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One dated session of the recording. `lines` counts both speakers."""

    number: int
    at: Instant
    lines: int
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One transcript after the replay. `explanation` is why it began, empty where nothing is on record."""

    key: str
    session_id: str
    began_at: Instant
    closed_as: str | None
    messages: int
    answers: int
    silent: int
    explanation: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What was replayed and found. `problems` is empty when everything is as it should be."""

    name: str
    dated: int
    lines: int
    turns: int
    lives: list[Life] = field(default_factory=list)
    entries: int = 0
    resets: int = 0
    mirror_files: int = 0
    mirror_lines: int = 0
    problems: list[str] = field(default_factory=list)


# --- the recording ----------------------------------------------------------------------------------------------------


def parse_conversation(raw: Mapping[str, Any], zone: tzinfo = UTC) -> list[Dated]:
    """The dated sessions that have lines, in the order of their numbers. `Any`: the recording is foreign JSON."""
    numbers = sorted(int(found[1]) for name in raw if (found := re.fullmatch(r"session_(\d+)", name)))
    dated = []
    for number in numbers:
        turns = [turn for turn in raw[f"session_{number}"] if _words(turn)]
        if turns:
            at = parse_date(str(raw[f"session_{number}_date_time"]), zone)
            dated.append(Dated(number=number, at=at, lines=len(turns), exchanges=plan_exchanges(turns, at)))
    return dated


def plan_exchanges(turns: Sequence[Mapping[str, Any]], at: Instant) -> tuple[Exchange, ...]:
    """What is written and what is answered. `turns` are not empty. `Any`: as above."""
    writer = turns[0]["speaker"]
    asked: list[tuple[Instant, str, list[str]]] = []
    for place, turn in enumerate(turns):
        if turn["speaker"] == writer:
            asked.append((Instant(at + place * LINE_GAP_MS), _words(turn), []))
        else:
            asked[-1][2].append(_words(turn))
    return tuple(
        Exchange(at=when, speaker=writer, text=text, answer="\n\n".join(answers) or SILENT)
        for when, text, answers in asked
    )


def parse_date(text: str, zone: tzinfo) -> Instant:
    """``1:56 pm on 8 May, 2023`` in a zone."""
    local = datetime.strptime(text.replace(",", ""), "%I:%M %p on %d %B %Y").replace(tzinfo=zone)
    return Instant(round(local.timestamp() * 1000))


def _words(turn: Mapping[str, Any]) -> str:
    """What was said; of a line that is only a picture, what the picture shows. `Any`: as above."""
    caption = turn.get("blip_caption")
    return str(turn.get("text") or "").strip() or (f"[picture: {caption}]" if caption else "")


# --- the replay -------------------------------------------------------------------------------------------------------


async def replay(name: str, dated: Sequence[Dated], folder: Path, *, scope: str = "main", zone: tzinfo = UTC) -> Report:
    """Replay dated sessions into a new store in `folder`, read everything back, and say what is there."""
    exchanges = [exchange for session in dated for exchange in session.exchanges]
    raw = {
        "channels": {CHANNEL: {"type": "bridge", "token": "replay", "dmPolicy": "open"}},
        "session": {"dmScope": scope},
    }
    clock = ManualClock(dated[0].at - LINE_GAP_MS, zone=zone)
    store = SqliteStore(folder / "replay.db")
    world = GatewayInMemory(raw, store=store, clock=clock, runner=ScriptedRunner(_answer_by(exchanges), clock=clock))
    config = parse_config(raw, env={}, state_dir=folder, home=folder)
    async with world, open_mirror(store, config, clock=clock) as mirror:
        for number, exchange in enumerate(exchanges, 1):
            clock.jump(exchange.at)
            sender = exchange.speaker.lower()
            await world.channel(CHANNEL).post(
                exchange.text, sender=sender, name=exchange.speaker, message_id=f"line-{number}"
            )
            await world.settle()
        await mirror.flush()
        report = Report(
            name=name,
            dated=len(dated),
            lines=sum(session.lines for session in dated),
            turns=len(world.runner.requests) if isinstance(world.runner, ScriptedRunner) else 0,
        )
        await _read_back(report, store, exchanges, config=config, zone=zone)
    return report


def _answer_by(exchanges: Sequence[Exchange]) -> Callable[[Asked], Reply | Awaitable[Reply]]:
    """A model that says what was said, line for line; it notices when it is asked something else."""
    waiting = list(exchanges)

    def script(asked: Asked) -> Reply:
        exchange = waiting.pop(0)
        if not asked.last_user_text.endswith(exchange.text):
            return Reply(text=f"(the replay went wrong: asked {asked.last_user_text!r})")
        return Reply(text=exchange.answer)

    return script


# --- reading back -----------------------------------------------------------------------------------------------------


async def _read_back(
    report: Report, store: SqliteStore, exchanges: Sequence[Exchange], *, config: Config, zone: tzinfo
) -> None:
    """Fill the report from the store and the mirror."""
    said: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for session in (await store.list_sessions(SessionQuery(limit=None))).sessions:
        heads = list(reversed(await store.load_transcripts(session.key)))
        for head in heads:
            entries = [stored.entry for stored in (await store.load_all_entries(head.session_id)).entries]
            messages = [entry.message for entry in entries if isinstance(entry, MessageEntry)]
            people = [message_text(one) for one in messages if isinstance(one, UserMessage)]
            model = [message_text(one) for one in messages if isinstance(one, AssistantMessage)]
            said.update(people)
            answered.update(model)
            report.entries += len(entries)
            report.resets += head.closed_at is not None
            explanation = await _explain(store, session.key, head, zone=zone)
            if not explanation:
                report.problems.append(f"nothing says why {head.session_id} of {session.key} began")
            report.lives.append(
                Life(
                    key=session.key,
                    session_id=head.session_id,
                    began_at=head.began_at,
                    closed_as=head.close_reason,
                    messages=len(people),
                    answers=len(model),
                    silent=model.count(SILENT),
                    explanation=explanation,
                )
            )
            _check_mirror_file(report, MirrorPlaces.of(config), session.key, head, entries)
        _check_mirror_index(report, MirrorPlaces.of(config), session.key, heads[-1])
    report.lives.sort(key=lambda life: life.began_at)
    _compare(report, "line", Counter(exchange.text for exchange in exchanges), said)
    _compare(report, "answer", Counter(exchange.answer for exchange in exchanges), answered)


def _compare(report: Report, what: str, wanted: Counter[str], found: Counter[str]) -> None:
    for text, times in (wanted - found).items():
        report.problems.append(f"a {what} is missing {times} times: {text[:60]!r}")
    for text, times in (found - wanted).items():
        report.problems.append(f"a {what} is there {times} times too often: {text[:60]!r}")


async def _explain(store: SqliteStore, key: SessionKey, head: TranscriptHead, *, zone: tzinfo) -> str:
    """Why a life of a session began, in a sentence."""
    rows = await store.load_decisions(DecisionQuery(session_key=key, kind="freshness", limit=10_000))
    found = next((row for row in rows if row.at == head.began_at and row.decision.outcome != "fresh"), None)
    return "" if found is None else tell(found, zone)


def _check_mirror_file(
    report: Report, places: MirrorPlaces, key: SessionKey, head: TranscriptHead, entries: Sequence[AnyEntry]
) -> None:
    """Every line of the file is JSON, and the lines are those of the database."""
    path = places.transcript(key, head.session_id, closed_at=head.closed_at)
    if not path.exists():
        report.problems.append(f"the mirror has no {path.name}")
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    report.mirror_files += 1
    report.mirror_lines += len(lines)
    try:
        ids = [str(json.loads(line)["id"]) for line in lines]
    except (ValueError, KeyError) as error:
        report.problems.append(f"{path.name} has a line that cannot be read: {error}")
        return
    if ids != [str(head.session_id), *(str(entry.id) for entry in entries)]:
        report.problems.append(f"{path.name} does not hold what the database holds")


def _check_mirror_index(report: Report, places: MirrorPlaces, key: SessionKey, current: TranscriptHead) -> None:
    agent = key.split(":")[1] if key.startswith("agent:") else places.default_agent_id
    path = places.index(type(places.default_agent_id)(agent))
    index = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if index.get(key, {}).get("sessionId") != current.session_id:
        report.problems.append(f"{path.name} does not show the current session of {key}")


# --- the summary ------------------------------------------------------------------------------------------------------


def format_report(report: Report, *, zone: tzinfo = UTC) -> str:
    """The summary, a line for each life of a session."""
    rows = [f"{report.name}: {report.dated} dated sessions, {report.lines} lines", ""]
    rows.append(f"{'life':>4}  {'began':16}  {'entries':>7}  {'silent':>6}  why it began")
    for number, life in enumerate(report.lives, 1):
        began = datetime.fromtimestamp(life.began_at / 1000, tz=zone).strftime("%Y-%m-%d %H:%M")
        entries = life.messages + life.answers
        rows.append(f"{number:>4}  {began}  {entries:>7}  {life.silent:>6}  {life.explanation}")
    rows += [
        "",
        f"{report.turns} turns made {report.entries} entries in {len(report.lives)} transcripts.",
        f"{report.resets} resets.",
        f"The mirror has {report.mirror_files} files with {report.mirror_lines} lines.",
    ]
    rows += [f"PROBLEM: {problem}" for problem in report.problems] or [
        "Every line is stored once, every reset is explained, and the mirror holds what the database holds."
    ]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay and print; 0 when everything is as it should be."""
    parser = argparse.ArgumentParser(prog="bench/replay.py", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("path", type=Path, help="a conversation of the LoCoMo kind")
    parser.add_argument("--scope", default="main", help="session.dmScope (default: main)")
    parser.add_argument("--zone", default="UTC", help="the zone of the host (default: UTC)")
    parser.add_argument("--keep", type=Path, help="a folder for database and mirror; without it they are thrown away")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    given = parser.parse_args(arguments)
    zone: tzinfo = UTC if given.zone == "UTC" else ZoneInfo(given.zone)
    dated = parse_conversation(json.loads(given.path.read_text(encoding="utf-8")), zone)
    with tempfile.TemporaryDirectory(prefix="instar-replay-") as folder:
        place = given.keep or Path(folder)
        report = asyncio.run(replay(given.path.name, dated, place, scope=given.scope, zone=zone))
    print(json.dumps(asdict(report), indent=2) if given.json else format_report(report, zone=zone))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
