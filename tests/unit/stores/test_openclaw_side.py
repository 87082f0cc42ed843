"""What lies beside the sessions of an OpenClaw directory comes along too, or is kept byte for byte (STORE-6)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from instar.config.config import parse_config
from instar.config.load import list_problems
from instar.core.policy.erased import hash_id
from instar.stores.erased import Erased, keep_away
from instar.stores.openclaw.carry import import_state
from instar.stores.openclaw.side import PROPOSED_NAME
from instar.stores.openclaw.translate import translate_config
from instar.stores.sqlite import SqliteStore
from instar.testing.gateway import GatewayInMemory
from tests.builders.openclaw import OpenClawState, digest_tree
from tests.builders.store import NOW, file_store

CONFIG = """\
// my assistant
{
  agents: {
    defaults: { workspace: "~/.openclaw/workspace", model: "anthropic/claude" },
    list: [ { id: "main" }, { id: "bo" }, { id: "cy", workspace: "/srv/cy" } ],
  },
  session: {
    store: "~/.openclaw/agents/{agentId}/sessions/sessions.json", // where it was
    reset: { atHour: "four" },
    dmScope: "per-peer", // each their own
  },
  tailscale: { mode: "off" },
}
"""


@pytest.fixture
def old(tmp_path: Path) -> OpenClawState:
    state = OpenClawState(tmp_path / "home" / ".openclaw")
    state.write_index()
    return state


def bring(old: OpenClawState, state: Path, *, dry: bool = False, config: dict[str, object] | None = None):
    """Import into the state directory `state`; the report."""

    async def story():
        parsed = parse_config(config or {}, env={}, state_dir=state, home=old.root.parent)
        async with file_store(state / "instar.db")() as store:
            return await import_state(old.root, store, parsed, now=NOW, is_dry_run=dry)

    return asyncio.run(story())


def of(report, kind: str):
    return [(item.status, item.source, item.detail) for item in report.items if item.kind == kind]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_configuration_is_proposed_with_a_sentence_for_each_change(old: OpenClawState, state: Path):
    old.file("openclaw.json", CONFIG)
    old.file("workspace-bo/MEMORY.md", "of bo")
    report = bring(old, state)
    text = (state / PROPOSED_NAME).read_text()
    wrong, _ = list_problems(text, env={}, home=old.root.parent)
    assert wrong == []
    assert "// my assistant" in text
    assert 'dmScope: "per-peer", // each their own' in text
    assert ".openclaw/" not in text.partition("\n")[2]
    assert '{ id: "bo", workspace: "workspace-bo" }' in text
    assert 'workspace: "/srv/cy"' in text
    told = " ".join(detail for _, _, detail in of(report, "config"))
    for said in (
        "session.store was left out",
        "agents.defaults.workspace was left out",
        "session.reset.atHour was left",
    ):
        assert said in told
    assert "tailscale" in told
    assert (state / "imported" / "openclaw" / "openclaw.json").read_text() == CONFIG


def test_a_proposal_replaces_nothing(old: OpenClawState, state: Path):
    old.file("openclaw.json", "{}")
    state.mkdir()
    (state / PROPOSED_NAME).write_text("mine")
    (state / "instar.json5").write_text("{}")
    report = bring(old, state)
    assert (state / PROPOSED_NAME).read_text() == "mine"
    assert (state / "instar.json5").read_text() == "{}"
    assert [status for status, _, _ in of(report, "config")] == ["kept", "copied"]


def test_a_configuration_that_is_none_is_kept_and_named(old: OpenClawState, state: Path):
    old.file("openclaw.json", "{ session: {")
    report = bring(old, state)
    assert not (state / PROPOSED_NAME).exists()
    damaged, kept = of(report, "config")
    assert damaged[0] == "damaged"
    assert "there is no proposal" in damaged[2]
    assert kept[0] == "copied"


def test_what_a_translation_leaves_alone_stays_word_for_word():
    text = '{"session": {"dmScope": "main"}}\n'
    made = translate_config(text, root=Path("/old"), home=Path("/home"), default_agent="main", workspaces=frozenset())
    assert made.text.partition("\n")[2] == text
    assert made.changes == []


def test_jobs_lists_and_databases_are_kept_byte_for_byte_and_named(old: OpenClawState, state: Path):
    old.file("cron/jobs.json", '{"jobs": [{}, {}]}')
    old.file("cron/runs/one.jsonl", "{}\n")
    old.file("credentials/telegram-allowFrom.json", '{"allowFrom": ["42", 7]}')
    old.file("credentials/telegram-pairing.json", '{"requests": []}')
    old.file("credentials/oauth.json", '{"secret": 1}')
    old.file("state/openclaw.sqlite", "SQLite format 3\0 …")
    old.file("state/openclaw.sqlite-wal", "log")
    report = bring(old, state)
    kept = state / "imported" / "openclaw"
    names = sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file())
    assert names == [
        "credentials/telegram-allowFrom.json",
        "credentials/telegram-pairing.json",
        "cron/jobs.json",
        "cron/runs/one.jsonl",
        "state/openclaw.sqlite",
        "state/openclaw.sqlite-wal",
    ]
    assert all((kept / name).read_bytes() == (old.root / name).read_bytes() for name in names)
    assert "its 2 jobs are told of one by one" in of(report, "cron")[-2][2]
    assert "the database is damaged" in of(report, "database")[0][2]
    assert "can make out nothing" in of(report, "database")[1][2]
    assert "they ask again by themselves" in of(report, "pairing")[-1][2]


def test_a_second_import_adds_nothing_and_a_changed_file_goes_beside(old: OpenClawState, state: Path):
    old.file("cron/jobs.json", "[]")
    old.file("openclaw.json", CONFIG)
    old.file("workspace/MEMORY.md", "tea")
    bring(old, state)
    before = digest_tree(state / "imported")
    again = bring(old, state)
    assert digest_tree(state / "imported") == before
    assert not [item for item in again.items if item.status in {"copied", "imported"}]
    old.file("cron/jobs.json", "[{}]")
    bring(old, state)
    bring(old, state)
    jobs = sorted(path for path in (state / "imported" / "openclaw" / "cron").iterdir())
    assert [path.read_text() for path in jobs] == ["[]", "[{}]"]


def test_a_dry_run_writes_nothing(old: OpenClawState, state: Path):
    old.file("cron/jobs.json", "[]")
    old.file("openclaw.json", "{}")
    old.file("workspace-bo/memory/day.md", "x")
    report = bring(old, state, dry=True)
    assert {path.name.partition(".")[0] for path in state.iterdir()} == {"instar"}
    assert not (state / PROPOSED_NAME).exists()
    assert {item.status for item in report.items if item.kind in {"config", "cron", "memory"}} == {"would-copy"}


def test_notes_of_an_agent_go_to_its_own_workspace_and_never_to_another(old: OpenClawState, state: Path):
    old.file("workspace/MEMORY.md", "of main")
    old.file("workspace-bo/MEMORY.md", "of bo")
    old.file("workspace-cy/MEMORY.md", "of cy")
    listed = [{"id": "main"}, {"id": "bo"}, {"id": "cy", "workspace": "rooms/cy"}]
    report = bring(old, state, config={"agents": {"list": listed}})
    assert (state / "workspace" / "MEMORY.md").read_text() == "of main"
    assert (state / "workspace-bo" / "MEMORY.md").read_text() == "of bo"
    assert (state / "rooms" / "cy" / "MEMORY.md").read_text() == "of cy"
    (bo,) = [detail for _, source, detail in of(report, "memory") if "bo" in source]
    assert "set workspace to 'workspace-bo' for agent bo" in bo


def test_a_file_that_cannot_be_read_is_named_and_the_rest_comes(old: OpenClawState, state: Path):
    path = old.file("cron/jobs.json", "[]")
    old.file("cron/runs/one.jsonl", "{}")
    state.mkdir()
    (state / "imported").write_text("in the way")
    report = bring(old, state)
    assert {status for status, _, _ in of(report, "cron")} == {"damaged"}
    (state / "imported").unlink()
    assert {status for status, _, _ in of(bring(old, state), "cron")} == {"copied", "imported"}
    assert path.read_text() == "[]"


# --- who was let in ---------------------------------------------------------------------------------------------------

BRIDGE = {"type": "bridge", "token": "t" * 8}


def approved_in(state: Path):
    async def story():
        async with file_store(state / "instar.db")() as store:
            pairings = await store.load_pairings()
            return {(one.peer.channel, one.peer.account_id, one.peer.peer_id) for one in pairings.approved}

    return asyncio.run(story())


def test_who_was_let_in_is_let_in_and_twice_adds_nobody(old: OpenClawState, state: Path):
    old.file("credentials/telegram-allowFrom.json", '{"version": 1, "allowFrom": ["42", 7, "*"]}')
    old.file("credentials/telegram-work-allowFrom.json", '["42"]')
    old.file("credentials/my-chat-allowFrom.json", '{"allowFrom": ["My-Chat:Ann"]}')
    old.file("credentials/whatsapp-allowFrom.json", '{"allowFrom": ["49170 1234567@s.whatsapp.net"]}')
    config: dict[str, object] = {"channels": {"telegram": BRIDGE, "my-chat": BRIDGE}}
    report = bring(old, state, config=config)
    expected = {
        ("telegram", "default", "42"),
        ("telegram", "default", "7"),
        ("telegram", "work", "42"),
        ("my-chat", "default", "ann"),
    }
    assert approved_in(state) >= expected
    assert any("'*' is nobody" in detail for _, _, detail in of(report, "pairing"))
    again = bring(old, state, config=config)
    assert not [item for item in again.items if item.kind == "pairing" and item.status == "imported"]
    assert len([item for item in again.items if item.kind == "pairing" and item.status == "known"]) >= 5


def test_an_approved_person_is_answered_without_a_code(old: OpenClawState, state: Path):
    old.file("credentials/telegram-allowFrom.json", '{"allowFrom": ["42"]}')
    bring(old, state, config={"channels": {"telegram": BRIDGE}})

    async def story():
        store = SqliteStore(state / "instar.db", reserve_bytes=0)
        async with GatewayInMemory({"channels": {"telegram": BRIDGE}}, store=store) as world:
            told = [await world.channel("telegram").post("hello", sender=who) for who in ("42", "43")]
            return [one.status for one in told]

    assert asyncio.run(story()) == ["accepted", "refused"]


def test_who_was_erased_is_not_let_in_again_and_the_report_says_so(old: OpenClawState, state: Path):
    async def forget():
        async with file_store(state / "instar.db")() as store:
            gone = [Erased(hash=hash_id("telegram:42", salt="s"), salt="s", at=1)]
            await store.engine.write(lambda tx: keep_away(tx, gone))

    asyncio.run(forget())
    old.file("credentials/telegram-allowFrom.json", '{"allowFrom": ["42", "43"]}')
    for dry in (True, False):
        report = bring(old, state, config={"channels": {"telegram": BRIDGE}}, dry=dry)
        (refused,) = [detail for status, _, detail in of(report, "pairing") if status == "refused"]
        assert "42 was erased here" in refused
    assert approved_in(state) == {("telegram", "default", "43")}


def test_who_was_erased_is_named_in_nothing_that_is_copied_or_kept(old: OpenClawState, state: Path):
    async def forget():
        async with file_store(state / "instar.db")() as store:
            ids = ("telegram:471199", "whatsapp:+4930123456", "telegram:42")
            gone = [Erased(hash=hash_id(one, salt=salt), salt=salt, at=1) for one, salt in zip(ids, "abc", strict=True)]
            await store.engine.write(lambda tx: keep_away(tx, gone))

    asyncio.run(forget())
    old.file("credentials/telegram-allowFrom.json", '{"allowFrom": ["471199", "42", "555000"]}')
    old.file("credentials/telegram-pairing.json", '{"requests": [{"id": "471199"}, {"id": "999000"}]}')
    old.file(
        "openclaw.json", '{channels: {whatsapp: {allowFrom: ["+4930123456", "+4930999999"]}}, gateway: {port: 42}}'
    )
    job = {"id": "j1", "schedule": {"kind": "every", "everyMs": 6}, "payload": {"kind": "agentTurn", "to": "471199"}}
    old.file("cron/jobs.json", json.dumps({"jobs": [job, job | {"id": "j2"}]}))
    old.file("workspace/MEMORY.md", "471199 likes zebras\n555000 likes 42 cats\n")
    old.file("state/other.sqlite", "SQLite format 3\0 471199")
    old.file("state/sound.sqlite", "SQLite format 3\0 555000")
    first = bring(old, state)
    kept = {path.relative_to(state): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    kept = {path: words for path, words in kept.items() if not path.name.startswith("instar.db")}
    for path, words in kept.items():
        assert b"471199" not in words, path
        assert b"4930123456" not in words, path
    folder = Path("imported", "openclaw")
    assert kept[folder / "credentials" / "telegram-allowFrom.json"] == b'{"allowFrom": ["******", "**", "555000"]}'
    assert kept[Path("workspace", "MEMORY.md")] == b"****** likes zebras\n555000 likes 42 cats\n"
    assert b"+4930999999" in kept[Path("instar.proposed.json5")]
    assert folder / "state" / "sound.sqlite" in kept
    assert folder / "state" / "other.sqlite" not in kept
    assert [status for status, _, detail in of(first, "database") if "erased here" in detail] == ["refused"]
    again = bring(old, state)
    assert not {item.status for item in again.items} & {"copied", "imported"}
    assert {path: (state / path).read_bytes() for path in kept} == kept


def test_whoever_was_erased_is_not_named_by_a_hidden_id_either(old: OpenClawState, state: Path):
    async def forget():
        async with file_store(state / "instar.db")() as store:
            ids = ("whatsapp:+4930123456", "whatsapp:88@lid")
            gone = [Erased(hash=hash_id(one, salt=salt), salt=salt, at=1) for one, salt in zip(ids, "ab", strict=True)]
            await store.engine.write(lambda tx: keep_away(tx, gone))

    asyncio.run(forget())
    old.file("workspace/MEMORY.md", "471199@lid likes zebras\n88@lid likes cats\n555000@lid likes dogs\n")
    numbers = {"471199@lid": "+4930123456", "88@lid": "+4930999999"}
    bring(old, state, config={"channels": {"whatsapp": {"lidNumbers": numbers}}})
    words = (state / "workspace" / "MEMORY.md").read_text()
    assert words == "********** likes zebras\n****** likes cats\n555000@lid likes dogs\n"


def test_two_people_who_would_share_one_conversation_are_told_of(old: OpenClawState, state: Path):
    old.file("credentials/telegram-allowFrom.json", '{"allowFrom": ["42", "43"]}')
    report = bring(old, state, config={"channels": {"telegram": BRIDGE}, "session": {"dmScope": "main"}})
    assert any("per-channel-peer" in detail for status, _, detail in of(report, "pairing") if status == "noted")


@pytest.mark.parametrize("text", ["", "{", "7", '{"allowFrom": "42"}'])
def test_a_list_that_is_none_is_named_and_kept(old: OpenClawState, state: Path, text: str):
    old.file("credentials/telegram-allowFrom.json", text)
    report = bring(old, state)
    assert [status for status, _, _ in of(report, "pairing")] == ["damaged", "copied"]
    assert approved_in(state) == set()
