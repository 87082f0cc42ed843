"""Databases of later OpenClaw versions come along: sessions, all their lives, archives, jobs, approvals (STORE-6)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import apsw
import msgspec
import pytest
import zstandard

from instar.config.config import parse_config
from instar.core.model.entry import CompactionEntry
from instar.core.model.ids import SessionId, SessionKey
from instar.stores.openclaw.carry import import_state
from tests.builders.openclaw import ISO, NOW_MS, OpenClawState, digest_tree, session_id, transcript_lines
from tests.builders.store import NOW, file_store

TABLES = """
CREATE TABLE schema_meta (meta_key TEXT PRIMARY KEY, role TEXT, schema_version INTEGER, agent_id TEXT) STRICT;
CREATE TABLE session_nodes (session_key TEXT PRIMARY KEY, current_session_id TEXT NOT NULL, entry_json TEXT NOT NULL,
    updated_at INTEGER NOT NULL, label TEXT, display_name TEXT, pinned_at INTEGER, archived_at INTEGER,
    spawned_by TEXT, last_read_at INTEGER, last_interaction_at INTEGER, last_activity_at INTEGER) STRICT;
CREATE TABLE session_windows (session_id TEXT PRIMARY KEY, session_key TEXT NOT NULL, previous_session_id TEXT,
    reason TEXT, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT,
    created_at INTEGER NOT NULL, event_zstd BLOB, event_utf8_bytes INTEGER, PRIMARY KEY (session_id, seq)) STRICT;
CREATE TABLE session_transcript_archives (session_id TEXT NOT NULL, generation TEXT NOT NULL, session_key TEXT NOT NULL,
    reason TEXT NOT NULL, encoding TEXT NOT NULL, archive_blob BLOB NOT NULL, archive_name TEXT NOT NULL UNIQUE) STRICT;
"""
GLOBAL = """
CREATE TABLE cron_jobs (store_key TEXT, job_id TEXT, job_json TEXT NOT NULL, state_json TEXT NOT NULL) STRICT;
CREATE TABLE cron_run_receipts (receipt_id TEXT, job_id TEXT, status TEXT, started_at_ms INTEGER,
    finished_at_ms INTEGER, error_text TEXT) STRICT;
CREATE TABLE channel_pairing_allow_entries (channel_key TEXT, account_id TEXT, entry TEXT) STRICT;
"""
KEY = "agent:main:telegram:direct:42"


class Later:
    """A state directory of a later version while it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.agent = self._open(root / "agents" / "main" / "agent" / "openclaw-agent.sqlite", TABLES)
        self.shared = self._open(root / "state" / "openclaw.sqlite", GLOBAL)

    def _open(self, path: Path, tables: str) -> apsw.Connection:
        path.parent.mkdir(parents=True)
        connection = apsw.Connection(str(path))
        connection.execute(tables)
        return connection

    def session(self, key: str, number: int, *texts: str, lines=None, **fields: object) -> None:
        """A session with its transcript."""
        columns = {name: fields.pop(name, None) for name in ("label", "pinned_at", "archived_at")}
        entry = json.dumps({"sessionId": session_id(number), "updatedAt": NOW_MS + number, **fields})
        self.agent.execute(
            "INSERT INTO session_nodes (session_key, current_session_id, entry_json, updated_at, label, pinned_at,"
            " archived_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, session_id(number), entry, NOW_MS + number, *columns.values()),
        )
        self.life(key, number, *texts, lines=lines)

    def life(self, key: str, number: int, *texts: str, lines=None) -> None:
        """One life of a session."""
        self.agent.execute(
            "INSERT INTO session_windows (session_id, session_key, created_at) VALUES (?, ?, 1)",
            (session_id(number), key),
        )
        for seq, line in enumerate(lines or as_version_4(transcript_lines(number, *texts))):
            self.agent.execute(
                "INSERT INTO transcript_events (session_id, seq, event_json, created_at) VALUES (?, ?, ?, 1)",
                (session_id(number), seq, line),
            )

    def pack(self, number: int, seq: int) -> None:
        """Pack a line as long ones are packed."""
        line = self.agent.execute("SELECT event_json FROM transcript_events WHERE seq = ?", (seq,)).get
        self.agent.execute(
            "UPDATE transcript_events SET event_json = NULL, event_zstd = ? WHERE seq = ? AND session_id = ?",
            (zstandard.compress(line.encode()), seq, session_id(number)),
        )

    def close(self) -> None:
        """Let go of the files."""
        self.agent.close()
        self.shared.close()


def as_version_4(lines: list[str]) -> list[str]:
    return [json.dumps({**json.loads(lines[0]), "version": 4}), *lines[1:]]


@pytest.fixture
def later(tmp_path: Path):
    made = Later(tmp_path / "old")
    yield made
    made.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def bring(later: Later, state: Path, *, dry: bool = False):
    """The report of an import, after it was seen that the source is as it was."""
    later.close()
    before = digest_tree(later.root)
    config = parse_config({}, env={}, state_dir=state, home=state.parent)

    async def story():
        async with file_store(state / "instar.db")() as store:
            return await import_state(later.root, store, config, now=NOW, is_dry_run=dry)

    report = asyncio.run(story())
    assert digest_tree(later.root) == before
    return report


def ask(state: Path, question):
    async def story():
        async with file_store(state / "instar.db")() as store:
            return await question(store)

    return asyncio.run(story())


def words(state: Path, number: int) -> list[str]:
    page = ask(state, lambda store: store.load_all_entries(SessionId(session_id(number))))
    texts = []
    for stored in page.entries:
        content = stored.entry.message.content
        texts.append(content if isinstance(content, str) else content[0].text)
    return texts


def of(report, kind: str) -> list[tuple[str, str]]:
    return [(item.status, item.detail) for item in report.items if item.kind == kind]


def test_a_session_comes_with_its_words_its_settings_and_the_way_back(later: Later, state: Path):
    delivery = {
        "kind": "external",
        "context": {"channel": "telegram", "to": "42", "accountId": "biz", "threadId": "7"},
        "origin": {"provider": "telegram", "from": "42"},
    }
    later.session(KEY, 1, "hello", "hi", label="mine", pinned_at=5, delivery=delivery, thinkingLevel="high", odd=1)
    report = bring(later, state)
    session = ask(state, lambda store: store.load_session(SessionKey(KEY)))
    assert words(state, 1) == ["hello", "hi"]
    assert (session.session_id, session.naming.label, session.lifecycle.pinned_at) == (session_id(1), "mine", 5)
    assert (session.overrides.thinking_level, session.extra["odd"]) == ("high", 1)
    assert (session.delivery.channel, session.delivery.to, session.delivery.account_id) == ("telegram", "42", "biz")
    assert session.delivery.thread_id == "7"
    assert [(item.status, item.key, item.source) for item in report.items if item.kind == "session"] == [
        ("imported", KEY, "agents/main/agent/openclaw-agent.sqlite")
    ]


def test_of_two_spellings_the_later_used_one_counts_and_its_gaps_are_filled(later: Later, state: Path):
    older = {"thinkingLevel": "high", "sendPolicy": "deny", "inputTokens": 7, "displayName": "Ann"}
    later.session("agent:main:telegram:dm:42", 1, "long ago", label="mine", **older)
    later.session("agent:main:telegram:direct:42", 2, "hello", thinkingLevel="low")
    report = bring(later, state)
    session = ask(state, lambda store: store.load_session(SessionKey("agent:main:telegram:direct:42")))
    assert session.session_id == session_id(2)
    assert (session.overrides.thinking_level, session.overrides.send_policy) == ("low", "deny")
    assert (session.naming.label, session.naming.display_name) == ("mine", "Ann")
    # What belongs to the other life stays with it.
    assert session.counters.input_tokens == 0
    assert words(state, 1) == ["long ago"]
    (told,) = [detail for status, detail in of(report, "session") if status == "noted"]
    assert told.endswith("'agent:main:telegram:direct:42', which was used later; its settings fill gaps")


def test_importing_twice_adds_nothing_and_a_dry_run_writes_nothing(later: Later, state: Path):
    later.session(KEY, 1, "hello", "hi")
    later.life(KEY, 2, "before")
    assert {item.status for item in bring(later, state, dry=True).items} >= {"would-import"}
    assert ask(state, lambda store: store.load_session(SessionKey(KEY))) is None
    bring(later, state)
    again = bring(later, state)
    assert {item.status for item in again.items if item.kind in {"session", "transcript"}} == {"known"}
    assert len(ask(state, lambda store: store.load_transcripts(SessionKey(KEY)))) == 2


def test_older_lives_of_a_session_are_its_history(later: Later, state: Path):
    later.session(KEY, 3, "now")
    later.life(KEY, 1, "first life")
    later.life(KEY, 2, "second life")
    bring(later, state)
    heads = ask(state, lambda store: store.load_transcripts(SessionKey(KEY)))
    assert heads[0].session_id == session_id(3)
    assert {head.session_id for head in heads[1:]} == {session_id(1), session_id(2)}
    assert words(state, 1) == ["first life"]


def test_what_no_session_claims_comes_under_a_key_of_its_own(later: Later, state: Path):
    later.life("agent:main:gone", 4, "left over")
    later.agent.execute("DELETE FROM session_windows")
    bring(later, state)
    session = ask(state, lambda store: store.load_session(SessionKey(f"agent:main:explicit:imported-{session_id(4)}")))
    assert session.lifecycle.archived_at == NOW
    assert words(state, 4) == ["left over"]


def test_packed_lines_are_unpacked_and_a_damaged_one_is_named(later: Later, state: Path):
    later.session(KEY, 1, "long ago", "yes", "and now")
    later.pack(1, 1)
    later.agent.execute("UPDATE transcript_events SET event_json = NULL, event_zstd = x'00ff' WHERE seq = 2")
    report = bring(later, state)
    assert words(state, 1) == ["long ago", "and now"]
    damaged = [item for item in report.items if item.status == "damaged" and item.line == 3]
    assert [item.source for item in damaged] == ["agents/main/agent/openclaw-agent.sqlite"] * len(damaged) != []


def test_a_reset_within_a_transcript_hides_what_was_before_and_keeps_it(later: Later, state: Path):
    lines = as_version_4(transcript_lines(1, "old secret", "aha"))
    start = {"type": "reset", "id": "r1", "parentId": "00000101", "timestamp": ISO, "reason": "daily"}
    new = {
        "type": "message",
        "id": "n1",
        "parentId": "r1",
        "timestamp": ISO,
        "message": {"role": "user", "content": "new"},
    }
    later.session(KEY, 1, lines=[*lines, json.dumps(start), json.dumps(new)])
    bring(later, state)
    page = ask(state, lambda store: store.load_all_entries(SessionId(session_id(1))))
    assert len(page.entries) == 4
    seen = ask(state, lambda store: store.load_context(SessionId(session_id(1)))).entries
    assert isinstance(seen[0].entry, CompactionEntry)
    assert [stored.entry.id for stored in seen] == ["r1", "n1"]


def test_a_file_that_says_the_same_is_known(later: Later, state: Path):
    later.session(KEY, 1, "hello", "hi")
    old = OpenClawState(later.root)
    old.add(KEY, 1, "hello", "hi")
    old.write_index()
    report = bring(later, state)
    assert [item.status for item in report.items if item.kind == "session"] == ["imported", "known"]


def test_an_archive_in_the_database_and_as_a_file_comes_once(later: Later, state: Path):
    text = "\n".join(as_version_4(transcript_lines(9, "bye"))).encode()
    generation = "f37ed10060484be7be344d1ff40452e7"
    name = f"{session_id(9)}.jsonl.deleted.2026-11-21T03-00-18.202Z.{generation}.zst"
    later.agent.execute(
        "INSERT INTO session_transcript_archives VALUES (?, ?, ?, 'deleted', 'zstd', ?, ?)",
        (session_id(9), generation, KEY, zstandard.compress(text), name),
    )
    folder = later.root / "agents" / "main" / "sessions"
    folder.mkdir()
    (folder / name).write_bytes(zstandard.compress(text))
    report = bring(later, state)
    assert [item.status for item in report.items if item.kind == "archive"] == ["imported", "known"]
    assert [item for item in report.items if item.kind == "index"] == []
    assert words(state, 9) == ["bye"]


def test_jobs_wait_in_one_form_wherever_they_come_from(later: Later, state: Path):
    daily = {
        "id": "a",
        "name": "daily",
        "schedule": {"kind": "cron", "expr": "0 9 * * *", "tz": "UTC"},
        "sessionTarget": "isolated",
        "payload": {"kind": "agentTurn", "message": "go"},
        "unheard": 1,
    }
    own = {**daily, "id": "b", "declarationKey": "heartbeat:main"}
    for job in (daily, own):
        later.shared.execute(
            "INSERT INTO cron_jobs VALUES ('x', ?, ?, ?)", (job["id"], json.dumps(job), '{"nextRunAtMs":7}')
        )
    later.shared.execute("INSERT INTO cron_run_receipts VALUES ('r', 'a', 'error', 10, 25, 'no')")
    later.shared.execute("INSERT INTO cron_run_receipts VALUES ('s', 'a', 'running', 30, NULL, NULL)")
    (later.root / "cron" / "runs").mkdir(parents=True)
    once = {"id": "c", "name": "once", "schedule": {"kind": "at", "atMs": 5}, "payload": {"kind": "systemEvent"}}
    (later.root / "cron" / "jobs.json").write_text(json.dumps({"version": 1, "jobs": [once, daily]}))
    (later.root / "cron" / "runs" / "c.jsonl").write_text('{"ts": 3, "action": "finished", "status": "ok"}\n?\n')
    report = bring(later, state)
    kept = msgspec.json.decode((state / "imported" / "cron" / "jobs.json").read_bytes())
    assert [job["id"] for job in kept["jobs"]] == ["a", "c"]
    assert kept["jobs"][0]["state"] == {"nextRunAtMs": 7}
    assert "unheard" not in kept["jobs"][0]
    runs = state / "imported" / "cron" / "runs"
    assert [json.loads(line) for line in (runs / "a.jsonl").read_text().splitlines()] == [
        {
            "action": "finished",
            "durationMs": 15,
            "error": "no",
            "jobId": "a",
            "runAtMs": 10,
            "status": "error",
            "ts": 25,
        }
    ]
    assert json.loads((runs / "c.jsonl").read_text()) == {"action": "finished", "jobId": "c", "status": "ok", "ts": 3}
    told = [status for status, detail in of(report, "cron") if "the job" in detail]
    assert told == ["imported", "noted", "imported", "known"]
    before = digest_tree(state / "imported")
    again = bring(later, state)
    assert digest_tree(state / "imported") == before
    assert {status for status, _ in of(again, "cron")} == {"known", "noted"}


def test_whom_a_database_lets_in_is_let_in(later: Later, state: Path):
    later.shared.execute("INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '42')")
    later.shared.execute("INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '*')")
    report = bring(later, state)
    pairings = ask(state, lambda store: store.load_pairings())
    assert [one.peer.peer_id for one in pairings.approved] == ["42"]
    assert [status for status, _ in of(report, "pairing")][:2] == ["noted", "imported"]


def test_a_damaged_and_an_unknown_database_are_kept_and_named(later: Later, state: Path):
    (later.root / "state" / "broken.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    other = apsw.Connection(str(later.root / "state" / "other.sqlite"))
    other.execute("CREATE TABLE cron_jobs (something_else TEXT)")
    other.close()
    later.session(KEY, 1, "hello")
    report = bring(later, state)
    assert words(state, 1) == ["hello"]
    told = dict(
        zip([item.source for item in report.items if item.kind == "database"], of(report, "database"), strict=True)
    )
    assert told["state/other.sqlite"][1].endswith("a database in which this build can make out nothing")
    assert [status for status, detail in of(report, "database") if "the database is damaged" in detail] == ["damaged"]
    assert (state / "imported" / "openclaw" / "state" / "broken.sqlite").is_file()


def test_hostile_names_in_a_database_lead_nowhere(later: Later, state: Path, tmp_path: Path):
    row = "INSERT INTO session_nodes VALUES (?, ?, ?, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    later.agent.execute(row, ("agent:main:x", "../../../evil", "["))
    later.agent.execute(row, ("  ", "y", "{}"))
    later.agent.execute("INSERT INTO transcript_events VALUES ('../../../evil', 0, '{}', 1, NULL, NULL)")
    job = {"schedule": {"kind": "every"}, "payload": {"kind": "agentTurn"}}
    later.shared.execute("INSERT INTO cron_jobs VALUES ('x', '../../evil', ?, '{}')", (json.dumps(job),))
    later.shared.execute("INSERT INTO cron_run_receipts VALUES ('r', '../../evil', 'ok', 10, 25, NULL)")
    bring(later, state)
    assert not list(tmp_path.glob("**/evil*"))
    assert len(list((state / "imported" / "cron" / "runs").iterdir())) == 1
