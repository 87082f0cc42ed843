"""What a running gateway takes of a foreign transcript is bounded; without one more is taken (STORE-6)."""

import asyncio
import json

import pytest
import zstandard

from instar.core.model.ids import AgentId, Instant, SessionKey
from instar.errors import InvalidRequest, TranscriptError
from instar.stores import intake
from instar.stores.importer import ImportLimits
from instar.stores.intake import TranscriptIntake
from tests.builders.openclaw import transcript_lines
from tests.builders.store import KEY, NOW, memory_store

WISH = {"key": SessionKey(KEY), "agent_id": AgentId("main"), "now": Instant(NOW)}


def take(data, name, *, limit, monkeypatch):
    monkeypatch.setattr(intake, "SENT", ImportLimits(file_bytes=limit, fix=intake.SENT.fix))

    async def story():
        async with memory_store()() as store:
            return await TranscriptIntake(store).take_bytes(data, name=name, **WISH)

    return asyncio.run(story())


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zst"])
def test_a_transcript_that_would_hold_others_up_is_refused_with_the_way_to_import_it(name, monkeypatch):
    data = "\n".join(transcript_lines(1, *["words " * 100] * 40)).encode()
    sent = zstandard.compress(data) if name.endswith(".zst") else data
    assert take(sent, name, limit=len(data), monkeypatch=monkeypatch).entries == 40
    with pytest.raises(TranscriptError, match="too large to import") as refused:
        take(sent, name, limit=len(data) - 1, monkeypatch=monkeypatch)
    assert "Stop the gateway and import it then" in str(refused.value)


def test_a_file_at_hand_is_taken_whatever_a_gateway_would_be_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "SENT", ImportLimits(file_bytes=10))
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(transcript_lines(1, "hello")))

    async def story():
        async with memory_store()() as store:
            return await TranscriptIntake(store).take_file(path, **WISH)

    assert asyncio.run(story()).entries == 1


def test_nothing_is_imported_under_a_key_that_promises_not_to_be_stored():
    async def story():
        async with memory_store()() as store:
            wish = {**WISH, "key": SessionKey("agent:main:incognito-x")}
            with pytest.raises(InvalidRequest, match="Nothing is brought into an incognito session"):
                await TranscriptIntake(store).take_bytes("\n".join(transcript_lines(1, "a")).encode(), name="a", **wish)
            return (await store.describe())["sessions"]

    assert asyncio.run(story()) == 0


def test_a_thinking_level_that_is_none_is_left_out_and_told(monkeypatch):
    level = {"type": "thinking_level_change", "id": "ffff", "parentId": None, "thinkingLevel": "banana"}
    data = "\n".join([*transcript_lines(1), json.dumps({**level, "timestamp": "2026-01-01T00:00:00.000Z"})]).encode()
    taken = take(data, "a.jsonl", limit=10_000, monkeypatch=monkeypatch)
    assert taken.findings == ("The thinking level 'banana' is none and was left out.",)
