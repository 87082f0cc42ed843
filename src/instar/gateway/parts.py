"""What a gateway is built from; the composition root fills it in, tests fill it with twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from instar.config.config import Config
from instar.core.context.system import SystemText
from instar.core.lifecycle.archive_name import ArchiveReason
from instar.core.lifecycle.maintenance_disk import DiskFacts, PlannedFile
from instar.core.model.change import TranscriptHead
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionKey
from instar.core.model.keeping import ArchivedTranscript, ImportedTranscript, StoredBackup
from instar.core.model.people import ErasureReceipt, ExportedPerson, Person, PersonRow
from instar.core.model.session import Session
from instar.core.policy.model_choice import ModelNames
from instar.core.policy.redaction import Redactor
from instar.errors import NotFound, Unavailable
from instar.ports.channel import Channel
from instar.ports.clock import Clock
from instar.ports.ids import IdSource
from instar.ports.runner import ModelSpec, Runner
from instar.ports.store import Store
from instar.ports.tool import Tool

__all__ = ["Archiver", "DiskKeeper", "Eraser", "ExportFolder", "GatewayParts", "Keeper", "ModelBook", "SystemTexts"]


class ModelBook(Protocol):
    """The models that may be used (CFG-13)."""

    def resolve(self, ref: str) -> ModelSpec | None:
        """The model that ``provider/model``, an alias or an id means; None for an unknown one."""
        ...

    def default_of(self, agent_id: AgentId) -> ModelSpec:
        """The model of an agent; the echo "model" where none is configured."""
        ...

    def fallbacks_of(self, agent_id: AgentId) -> tuple[ModelSpec, ...]:
        """The models that stand in for an agent's model, in order."""
        ...

    def names(self, agent_id: AgentId) -> ModelNames:
        """What a person may choose from, and the agent's own model as the default (CMD-5)."""
        ...

    def xhigh_models(self) -> frozenset[str]:
        """The models, as ``provider/model``, that know the thinking level `xhigh` (PATCH-6)."""
        ...

    def all(self) -> tuple[ModelSpec, ...]:
        """Every model of every provider, in configured order."""
        ...


class SystemTexts(Protocol):
    """What the model is told before the conversation (TRANS-21)."""

    async def load(self, agent_id: AgentId, session: Session) -> str:
        """The system text of an agent for a session, with the files of its workspace."""
        ...

    def is_writable(self, agent_id: AgentId) -> bool:
        """Whether the agent's workspace may be written to, as far as the system can tell (FLUSH-3)."""
        ...

    async def load_notes(self, agent_id: AgentId, today: date) -> str:
        """What the agent wrote down today and yesterday, as the model is told of it; empty if nothing (CMD-10)."""
        ...

    async def report(self, agent_id: AgentId) -> SystemText:
        """The same text as it stands now, with what came into it of which file (STATUS-10)."""
        ...

    def last_report(self, agent_id: AgentId) -> SystemText | None:
        """The one that was loaded last, None if none was."""
        ...


class ExportFolder(Protocol):
    """Where a person's exports go: the agent's workspace (CMD-31)."""

    async def write(self, agent_id: AgentId, path: str, text: str) -> str:
        """Write a new file below the workspace; its whole path. Raises `InvalidRequest` where it cannot be."""
        ...


class Archiver(Protocol):
    """Keeps a transcript that is about to leave the database (LOSS-8, MAINT-13). No two sessions share one.

    One that stays is kept as a copy, too, where somebody asks for its last lines only (COMPACT-25).
    """

    async def archive(self, head: TranscriptHead, *, reason: ArchiveReason = "deleted") -> str:
        """Write and verify the archive of a transcript; the path it lies at."""
        ...


class DiskKeeper(Protocol):
    """The files of an agent's sessions: transcripts, archives and mirror."""

    async def measure(self, agent_id: AgentId) -> DiskFacts:
        """What they take together, and which of them maintenance may delete."""
        ...

    async def remove(self, agent_id: AgentId, files: Sequence[PlannedFile]) -> int:
        """Delete planned files; how many are gone."""
        ...


class Keeper(Protocol):
    """What lies beside the database: archives of deleted sessions, backups."""

    async def back_up(self, name: str | None, *, now: Instant) -> StoredBackup:
        """Write a backup under a plain file name, or one made of the time. Raises `InvalidRequest`, `StoreError`."""
        ...

    async def find_archives(self, key: SessionKey) -> tuple[str, ...]:
        """The archives of a deleted session, oldest first."""
        ...

    async def read_archive(self, path: str) -> ArchivedTranscript:
        """One archive. Raises `InvalidRequest`, `TranscriptError`."""
        ...


class Eraser(Protocol):
    """What is held about one person, wherever it is kept (LEAK-11)."""

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:
        """Everybody whom the store knows, whoever wrote last first."""
        ...

    async def find_keys(self, person: Person) -> frozenset[SessionKey]:
        """The sessions in which a person takes part."""
        ...

    async def export(self, person: Person, *, name: str | None, now: Instant) -> ExportedPerson:
        """Write what is held about a person into a folder of the state directory. Raises `NotFound`."""
        ...

    async def plan(self, person: Person, *, now: Instant) -> ErasureReceipt:
        """What an erasure would take out. Raises `NotFound`."""
        ...

    async def erase(
        self, person: Person, *, within: frozenset[SessionKey], now: Instant, who: str, drop_backups: bool
    ) -> ErasureReceipt | None:
        """Take a person out of everything; None when they take part in sessions that are not `within`.

        What an erasure of theirs that was cut had noted goes with it, and is over with it.
        """
        ...

    async def list_cut(self) -> tuple[Person, ...]:
        """Whoever's erasure was begun and is not through."""
        ...


class Intake(Protocol):
    """Puts foreign transcripts into the store (STORE-6)."""

    async def take_bytes(
        self, data: bytes, *, name: str, key: SessionKey | None, agent_id: AgentId, now: Instant
    ) -> ImportedTranscript:
        """Store what was sent, under `key` or as a thread of its own. Raises `TranscriptError`."""
        ...


class _NoIntake:
    """A gateway that was built without one."""

    async def take_bytes(self, data: bytes, **wish: object) -> ImportedTranscript:  # noqa: ARG002 - nobody takes it
        raise Unavailable("This gateway takes no imports")


class _NoEraser:
    """A store without files is not erased from: it goes with its process."""

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:  # noqa: ARG002 - there is nobody
        return ()

    async def find_keys(self, person: Person) -> frozenset[SessionKey]:
        raise _lives_in_memory(person)

    async def export(self, person: Person, **wish: object) -> ExportedPerson:  # noqa: ARG002 - there is nothing
        raise _lives_in_memory(person)

    async def plan(self, person: Person, **wish: object) -> ErasureReceipt:  # noqa: ARG002 - the same
        raise _lives_in_memory(person)

    async def erase(self, person: Person, **wish: object) -> ErasureReceipt | None:  # noqa: ARG002 - the same
        raise _lives_in_memory(person)

    async def list_cut(self) -> tuple[Person, ...]:
        return ()


def _lives_in_memory(person: Person) -> NotFound:
    return NotFound(f"Nothing is kept about {person.name}", why="this store lives in memory")


class _NoKeeper:
    """A store without files: nothing to back up, no archives."""

    async def back_up(self, name: str | None, *, now: Instant) -> StoredBackup:  # noqa: ARG002 - there is nothing
        raise NotFound("There is no database file to back up", why="this store lives in memory")

    async def find_archives(self, key: SessionKey) -> tuple[str, ...]:  # noqa: ARG002 - the same
        return ()

    async def read_archive(self, path: str) -> ArchivedTranscript:
        raise NotFound(f"There is no archive {path}", why="this store lives in memory")


class _NoExports:
    """An agent without a folder."""

    async def write(self, agent_id: AgentId, path: str, text: str) -> str:  # noqa: ARG002 - nothing is written
        raise Unavailable("This gateway has no workspace to write to")


class _NoDisk:
    """A store without files: nothing to measure, nothing to delete."""

    async def measure(self, agent_id: AgentId) -> DiskFacts:  # noqa: ARG002 - no agent has files
        return DiskFacts(used_bytes=0)

    async def remove(self, agent_id: AgentId, files: Sequence[PlannedFile]) -> int:  # noqa: ARG002 - the same
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayParts:
    """Everything a gateway needs. `config` gives the configuration of this moment, since it may be reloaded (CFG-12).

    `note_tool` writes an agent's notes before a summary (FLUSH-4); no other turn is offered it.
    """

    version: str
    config: Callable[[], Config]
    store: Store
    clock: Clock
    ids: IdSource
    runner: Runner
    models: ModelBook
    texts: SystemTexts
    archiver: Archiver
    tools: Mapping[str, Tool] = field(default_factory=dict)
    note_tool: Tool | None = None
    channels: Mapping[ChannelName, Channel] = field(default_factory=dict)
    state_dir: str = ""
    config_path: str = ""
    store_path: str = ""
    redactor: Redactor = field(default_factory=Redactor)
    disk: DiskKeeper = field(default_factory=_NoDisk)
    keeper: Keeper = field(default_factory=_NoKeeper)
    eraser: Eraser = field(default_factory=_NoEraser)
    exports: ExportFolder = field(default_factory=_NoExports)
    intake: Intake = field(default_factory=_NoIntake)
