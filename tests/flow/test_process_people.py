"""People in the hand of an operator: listed, exported, erased, beside a running gateway and without one (LEAK-11)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from instar.core.model.ids import Instant
from instar.core.routing.person import resolve_person_named
from instar.errors import StoreError
from tests.builders.folder import read_files
from tests.builders.people import open_people
from tests.builders.process import GatewayProcess, build_process_config, run_instar

NOW = Instant(1_800_000_000_000)
LINKS = {"anna": ["telegram:ann-4711", "telegram:ann-second"]}


def config() -> dict:
    made = build_process_config()
    made["session"] = {**made.get("session", {}), "identityLinks": LINKS}
    return made


def run(gateway: GatewayProcess, *args: str, code: int = 0):
    """A command; its JSON."""
    done = run_instar(*args, "--json", "--config", str(gateway.config_path), state_dir=gateway.state_dir)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return json.loads(done.stdout)


def say(gateway: GatewayProcess, who: str, text: str, number: int) -> None:
    assert gateway.post(text, message_id=number, sender={"id": who, "name": f"{who} Muster"}).status == 200
    gateway.take(1)


def found(folder: Path, *words: str) -> list[str]:
    """The files below a folder in which a word stands, whatever it is called."""
    files = read_files(folder).items()
    return [path.name for path, content in files if any(word.encode() in content for word in words)]


def test_a_person_is_listed_exported_and_erased_beside_a_running_gateway(tmp_path):
    with GatewayProcess(tmp_path / "here", config()) as gateway:
        say(gateway, "ann-4711", "my word is zebra-4471", 1)
        say(gateway, "ann-second", "and here it is zebra-4472", 2)
        say(gateway, "bob-88", "mine is panda-9001", 3)
        people = {row["id"]: row for row in run(gateway, "people", "list")["people"]}
        assert people["anna"]["messages"] == 2
        assert people["anna"]["ids"] == ["telegram:ann-4711", "telegram:ann-second"]

        folder = tmp_path / "copy"
        exported = run(gateway, "people", "export", "telegram:ann-second", "--output", str(folder))
        assert exported["counts"]["inbox"] == 2
        assert exported["counts"]["sessions"] >= 1
        assert found(folder, "zebra-4471")
        assert found(folder, "zebra-4472")
        assert not found(folder, "panda-9001")
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["format"], manifest["person"]) == ("instar-person", "anna")
        assert set(manifest["files"]) == {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "manifest.json"
        }

        planned = run(gateway, "people", "erase", "anna", "--dry-run")
        assert planned["planned"]
        assert planned["counts"]["messages"] == 2
        receipt = run(gateway, "people", "erase", "anna", "--yes")
        assert (receipt["left"], receipt["residue"]) == ([], 0)
        assert receipt["counts"]["inbox"] == 2
        assert found(gateway.state_dir, "zebra-447", "ann-4711", "ann-second") == []
        assert found(gateway.state_dir, "panda-9001")
        run(gateway, "people", "erase", "anna", "--yes", code=1)
        say(gateway, "ann-4711", "a stranger again", 4)


def test_a_person_is_erased_while_no_gateway_runs(tmp_path):
    with GatewayProcess(tmp_path / "here", config()) as gateway:
        say(gateway, "ann-4711", "my word is zebra-4471", 1)
        say(gateway, "bob-88", "mine is panda-9001", 2)
    assert {row["id"] for row in run(gateway, "people", "list")["people"]} == {"anna", "telegram:bob-88"}
    receipt = run(gateway, "people", "erase", "telegram:bob-88", "--yes")
    assert receipt["residue"] == 0
    assert found(gateway.state_dir, "panda-9001", "bob-88") == []
    assert found(gateway.state_dir, "zebra-4471")
    with sqlite3.connect(f"file:{gateway.state_dir / 'instar.db'}?mode=ro", uri=True) as database:
        ((kind, who, inputs),) = database.execute(
            "SELECT kind, who, inputs FROM decisions WHERE kind = 'erase'"
        ).fetchall()
    assert (kind, who) == ("erase", "operator")
    assert json.loads(inputs)["residue"] == 0


def test_erasing_needs_a_word_and_a_person(tmp_path):
    with GatewayProcess(tmp_path / "here", config()) as gateway:
        for args in ([], ["--yes", "--dry-run"]):
            done = run_instar(
                "people", "erase", "anna", *args, "--config", str(gateway.config_path), state_dir=gateway.state_dir
            )
            assert done.returncode == 2
            assert "--dry-run to see what would go" in done.stderr
        done = run_instar(
            "people", "erase", "telegram:9", "--yes", "--config", str(gateway.config_path), state_dir=gateway.state_dir
        )
        assert done.returncode == 1
        assert "Nothing is held about telegram:9" in done.stderr


def test_a_gateway_finishes_at_its_start_what_a_crash_cut(tmp_path):
    state = tmp_path / "here" / "state"

    async def cut() -> None:
        async with open_people(state, config()) as world:
            await world.gateway.channel("telegram").post("my word is zebra-4471", sender="ann-4711")
            await world.gateway.channel("telegram").post("mine is panda-9001", sender="bob-88")
            await world.gateway.settle()

            async def die(*, log_only: bool = False) -> None:
                raise StoreError("the process died here")

            world.store.engine.wipe = die
            person = resolve_person_named("anna", world.config.routing.keys.links)
            with pytest.raises(StoreError):
                await world.eraser.erase_all(person, now=NOW, who="operator", drop_backups=False)

    asyncio.run(cut())
    with GatewayProcess(tmp_path / "here", config()) as gateway:
        assert found(gateway.state_dir, "zebra-4471", "ann-4711") == []
        assert found(gateway.state_dir, "panda-9001")
    assert "erasure_resumed" in (state / "logs" / "gateway.log").read_text()
