"""What a person asks of a running gateway so that nothing is lost: held replies, deleted sessions, backups."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from instar.app import GatewayOptions, open_app
from instar.core.model.change import SessionChange
from instar.core.model.ids import ChannelName, DeliveryId
from instar.core.model.query import DecisionQuery
from instar.errors import InvalidRequest, NotFound
from instar.stores.archive import read_archive
from instar.stores.backup import verify_backup
from tests.builders.store import NOW, SessionTalk, build_delivery, build_message, file_store

KEY = "agent:main:telegram:direct:42"


@asynccontextmanager
async def gateway(state: Path):
    env = {"INSTAR_STATE_DIR": str(state)}
    options = GatewayOptions(port=0)
    async with open_app(options, env=env, home=state.parent) as app:
        yield app.gateway


async def prepare(state: Path, *, owed: bool = False) -> None:
    async with file_store(state / "instar.db")() as store:
        talk = SessionTalk(store)
        await talk.begin(build_message(1, None, "first words"), build_message(2, 1, "more"))
        await talk.reset("22222222-2222-4222-8222-222222222222")
        await talk.append(build_message(3, None, "second life"))
        if owed:
            await talk.change(SessionChange(deliveries=(build_delivery(1, "a reply"), build_delivery(2, "another"))))
            await store.claim_deliveries(ChannelName("telegram"), limit=1, now=NOW, again=False)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_reply_in_doubt_is_listed_and_sent_again_or_dropped(state: Path):
    async def story():
        await prepare(state, owed=True)
        async with gateway(state) as running:
            keeping = running.keeping
            (row,) = await keeping.deliveries(("unknown", "failed"), key=None, limit=10)
            assert (row.outbound.delivery_id, row.state, row.outbound.text) == ("d1", "unknown", "a reply")
            await keeping.redo(DeliveryId("d1"), "send", who="operator")
            waiting = await keeping.deliveries(("pending",), key=None, limit=10)
            assert {row.outbound.delivery_id for row in waiting} == {"d1", "d2"}
            with pytest.raises(InvalidRequest, match="waiting to be sent already"):
                await keeping.redo(DeliveryId("d1"), "send", who="operator")
            await keeping.redo(DeliveryId("d1"), "drop", who="operator")
            (row,) = await keeping.deliveries(("dropped",), key=None, limit=10)
            assert (row.outbound.delivery_id, row.reason) == ("d1", "dropped")
            told = await running.sessions.explain(DecisionQuery(session_key=row.session_key, kind="deliver"))
            assert [one.recorded.decision.outcome for one in told][:2] == ["dropped", "send_again"]
            with pytest.raises(NotFound):
                await keeping.redo(DeliveryId("d9"), "send", who="operator")

    asyncio.run(story())


async def delete(running) -> None:
    await running.sessions.delete(KEY, delete_transcript=True, who="operator")
    assert await running.sessions.describe(KEY) is None


def test_a_deleted_session_comes_back_with_every_life_and_its_settings(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            await running.sessions.patch(KEY, {"label": "tea", "thinkingLevel": "high"}, who="operator")
            await delete(running)
            restored = await running.keeping.restore(KEY, None, who="operator")
            assert len(restored.archives) == len(restored.session_ids) == 2
            heads = await running.sessions.transcripts(KEY)
            assert [(head.session_id[0], head.message_count) for head in heads] == [("2", 1), ("1", 2)]
            view = await running.sessions.describe(KEY)
            assert view.session.session_id.startswith("2")
            assert view.session.overrides.thinking_level == "high"
            again = await running.keeping.restore(KEY, None, who="operator")
            assert again.session_ids == ()

    asyncio.run(story())


def test_one_archive_is_restored_by_its_file(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            await delete(running)
            (path, *_) = sorted((state / "agents" / "main" / "sessions").glob("1111*.deleted.*.zst"))
            restored = await running.keeping.restore(None, str(path), who="operator")
            assert restored.key == KEY
            (head,) = await running.sessions.transcripts(KEY)
            assert head.message_count == 2

    asyncio.run(story())


def test_whoever_restores_is_told_which_lines_of_an_archive_could_not_be_read(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            await delete(running)
            folder = state / "agents" / "main" / "sessions"
            (packed,) = folder.glob("1111*.deleted.*.zst")
            header, *lines = read_archive(packed)
            damaged = packed.with_suffix(".jsonl")
            damaged.write_text("\n".join([header, "{ what stood here", *lines]), encoding="utf-8")
            restored = await running.keeping.restore(KEY, str(damaged), who="operator")
            assert len(restored.session_ids) == 1
            (told,) = restored.findings
            assert told.startswith(f"{damaged.name}: line 2: ")
            (head,) = await running.sessions.transcripts(KEY)
            assert head.message_count == 2
            sound = await running.keeping.restore(None, str(packed), who="operator")
            assert sound.findings == ()

    asyncio.run(story())


def test_a_session_that_lives_again_keeps_its_present(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            await delete(running)
            await running.sessions.reset(KEY, reason="new", who="operator")
            view = await running.sessions.describe(KEY)
            await running.keeping.restore(KEY, None, who="operator")
            heads = await running.sessions.transcripts(KEY)
            assert [head.closed_at is None for head in heads] == [True, False, False]
            assert heads[0].session_id == view.session.session_id

    asyncio.run(story())


def test_an_archive_elsewhere_and_a_key_without_one_are_refused(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            with pytest.raises(InvalidRequest, match="state directory"):
                await running.keeping.restore(None, "/etc/passwd", who="operator")
            with pytest.raises(NotFound, match="no archive"):
                await running.keeping.restore("agent:main:telegram:direct:7", None, who="operator")

    asyncio.run(story())


def test_a_running_gateway_writes_a_sound_backup(state: Path):
    async def story():
        await prepare(state)
        async with gateway(state) as running:
            made = await running.keeping.back_up(None)
            report = await asyncio.to_thread(verify_backup, Path(made.path))
            assert report.counts["transcripts"] == 2
            assert Path(made.path).parent == state / "backups"
            for name in ("../x", ".hidden", "/etc/x", "a\0b", "a\ud800b", "\u202eb", "ä" * 101):
                with pytest.raises(InvalidRequest, match="no name of a file"):
                    await running.keeping.back_up(name)

    asyncio.run(story())
