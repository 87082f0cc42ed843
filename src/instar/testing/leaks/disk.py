"""The state directory of a script: what the gateway writes there, and a look at every file of it.

Each file is looked at by existing: one whose kind nobody knows here may hold no word at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import zstandard

from instar.config.config import Config
from instar.core.model.ids import AgentId
from instar.gateway.parts import GatewayParts
from instar.gateway.settings import group_intro
from instar.stores.archive import TranscriptArchiver, read_archive
from instar.stores.disk import SessionFiles
from instar.stores.erasing.files import EXPORTS
from instar.stores.erasing.notes import is_sealed_note
from instar.stores.erasing.places import build_places
from instar.stores.intake import TranscriptIntake
from instar.stores.mirror import Mirror
from instar.stores.mirror_places import MirrorPlaces
from instar.stores.sealing.seals import Seals
from instar.stores.store import SessionStore
from instar.system.workspace import WorkspaceExports, WorkspaceTexts
from instar.testing.ids import DrawnIds
from instar.testing.leaks.image import EraserOfRows, KeeperOfRows, Rows
from instar.testing.leaks.people import Cast, Circle, Person, Words
from instar.testing.simulate.dice import Dice

__all__ = ["BACKUPS", "LOG", "Disk", "look_at_export"]

LOG: Final = Path("logs", "gateway.log")

BACKUPS: Final = "backups"

_MASTER_KEY: Final = f"instar-key-1:{'canary_' * 6}c\n"
"""A key that encrypts nothing that is worth it."""

_ZSTD: Final = (0xFD2FB528).to_bytes(4, "little")

_WORKSPACES: Final = {"workspace": "main", "workspace-work": "work"}
"""The agent of each workspace."""

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


class Disk:
    """A state directory with a mirror, archives, exports and workspaces. `close` removes it."""

    def __init__(self, dice: Dice) -> None:
        place = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
        self.root = Path(tempfile.mkdtemp(prefix="instar-leaks-", dir=place))
        self.state = self.root / "state"
        self.master_key = self.root / "master.key"
        self.master_key.touch(mode=0o600)
        self.master_key.write_text(_MASTER_KEY, encoding="ascii")
        self._ids = DrawnIds(dice.below)
        self._mirror: Mirror | None = None
        self._seals: Seals | None = None

    def arm(self, parts: GatewayParts, config: Config, store: SessionStore, rows: Rows) -> GatewayParts:
        """The parts of a life with the real files in place of the twins."""
        seals = self._seals = rows.seals
        if self._mirror is None and config.store.mirror != "off":
            self._mirror = Mirror(store, MirrorPlaces.of(config), clock=parts.clock)
            self._mirror.start()

        def folder_of(agent_id: AgentId) -> Path:
            return Path(config.workspace(agent_id))

        texts = WorkspaceTexts(
            workspace_of=folder_of,
            prompt_of=lambda _: None,
            intro_of=lambda session: group_intro(config, session),
            open_note=None if seals is None else lambda line, name: seals.open_note(line, name=name),
        )
        eraser = EraserOfRows(
            store,
            build_places(config, None, seals=seals),
            links=lambda: config.routing.keys.links,
            ids=self._ids,
            flush_mirror=self.flush,
        )
        keeper = KeeperOfRows(config, None, version=parts.version, seals=seals)
        eraser.rows = keeper.rows = rows
        return replace(
            parts,
            state_dir=str(self.state),
            texts=texts,
            exports=WorkspaceExports(workspace_of=folder_of),
            archiver=TranscriptArchiver(store, config, clock=parts.clock),
            disk=SessionFiles(store, config),
            intake=TranscriptIntake(store),
            keeper=keeper,
            eraser=eraser,
        )

    async def flush(self) -> None:
        """Bring the mirror level."""
        if self._mirror is not None:
            await self._mirror.flush()

    async def stop(self) -> None:
        """Stop following the store."""
        if self._mirror is not None:
            await self._mirror.close()
            self._mirror = None

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every byte of every file, what is packed also unpacked, each with its place in the state directory."""
        for path in sorted(self.state.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                if content.startswith(_ZSTD):
                    with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as stream:
                        content += stream.read()
                yield path.relative_to(self.state).as_posix(), content

    # --- watching -----------------------------------------------------------------------------------------------------

    def look(
        self, cast: Cast, words: Words, *, may_hold: Callable[[Circle, Circle], bool], keys: dict[str, Circle]
    ) -> Iterator[str]:
        """A sentence for each word in a file where it must not be. `may_hold` says whether a session of the first
        circle may hold words of the second; `keys` are the circles of session keys.
        """
        owners = {person.name: person for person in cast.people}
        for path in sorted(self.state.rglob("*")):
            if not path.is_file():
                continue
            parts = path.relative_to(self.state).parts
            if path.name == "sessions.json" and "sessions" in parts:
                yield from _look_at_index(path, words, may_hold, keys)
            elif parts[0] == BACKUPS or is_sealed_note(path):
                continue  # all of a store is in a backup, for its owner; what may be read of either is another question
            elif parts[0] == EXPORTS:
                yield from look_at_export(path, words, owners[parts[1].partition(".")[0]], cast)
            elif "sessions" in parts or EXPORTS in parts:
                yield from _look_at_session(path, words, may_hold, self._seals)
            elif parts[0] in _WORKSPACES:
                # Notes are those of the agent's main session.
                allowed = ("shared", _WORKSPACES[parts[0]])
                for word, circle in words.secrets_in(_read(path)).items():
                    if circle != allowed:
                        yield f"{word} of {circle} is in {path}, a workspace"
            else:
                yield from (f"{word} of {known} is in {path}" for word, known in words.secrets_in(_read(path)).items())


def _read(path: Path, seals: Seals | None = None) -> str:
    return "\n".join(read_archive(path, seals=seals)) if path.suffix == ".zst" else path.read_text("utf-8", "replace")


def _look_at_index(
    path: Path, words: Words, may_hold: Callable[[Circle, Circle], bool], keys: dict[str, Circle]
) -> Iterator[str]:
    for key, row in json.loads(path.read_bytes()).items():
        for word, circle in words.secrets_in(json.dumps(row)).items():
            home = keys.get(key)
            if home is None or not may_hold(home, circle):
                yield f"{word} of {circle} is in {path} under {key}, which is of {home}"


def _look_at_session(
    path: Path, words: Words, may_hold: Callable[[Circle, Circle], bool], seals: Seals | None
) -> Iterator[str]:
    """A file of one session holds words of one circle, and of those that it may hold."""
    circles = set(words.secrets_in(_read(path, seals)).values())
    if circles and not any(all(may_hold(home, other) for other in circles) for home in circles):
        yield f"{path} holds words of {sorted(circles)}"


def look_at_export(path: Path, words: Words, person: Person, cast: Cast) -> Iterator[str]:
    """A sentence for each word in a file of somebody's export that is another's.

    It holds their own words, and in an answer that they were given those that stand in one line with them. A line that
    somebody wrote holds no others: what a group had said before is not theirs.
    """
    own = {word: circle for (name, circle), word in words.said.items() if name == person.name}
    for line in _read(path).splitlines():
        found = words.secrets_in(line)
        told = set() if '"role":"user"' in line else {own[word] for word in found if word in own}
        if path.name == "outbox.jsonl":
            told |= _circles_of_reply(line, person, cast)
        for word, circle in found.items():
            if word not in own and circle not in told:
                yield f"{word} of {circle}, which somebody else said, is in an export of {person.name}: {path.name}"


def _circles_of_reply(line: str, person: Person, cast: Cast) -> set[Circle]:
    """What a reply may hold that went to an address of theirs: it is theirs also where it answers a command, which has
    no word of theirs. What may be sent to whom is watched where it is sent.
    """
    target = json.loads(line)["target"]
    if (target["channel"], target["to"]) not in person.addresses:
        return set()
    return {cast.direct_circle(person, target["channel"])}
