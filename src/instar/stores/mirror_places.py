"""Where the mirror of each session lies (STORE-2, STORE-8, MAINT-20). Pure: names in, paths out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from instar.config.config import Config
from instar.config.paths import mirror_sessions_dir, render_template, transcript_file_name
from instar.core.lifecycle.archive_name import ArchiveName, format_archive_name
from instar.core.model.ids import AgentId, Instant, SessionId, SessionKey
from instar.core.routing.grammar import parse_key

__all__ = ["INDEX_NAME", "MirrorPlaces", "name_transcript"]

INDEX_NAME = "sessions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlaces:
    """The layout. `template` is the place of the index where the configuration names one (STORE-8)."""

    state_dir: Path
    home: Path
    default_agent_id: AgentId
    template: str | None = None

    @classmethod
    def of(cls, config: Config) -> MirrorPlaces:
        """The layout that a configuration asks for."""
        return cls(
            state_dir=config.state_dir,
            home=config.home,
            default_agent_id=config.agents.default_id,
            template=config.store.mirror_template,
        )

    def index(self, agent_id: AgentId) -> Path:
        """The file that lists an agent's sessions; several agents share one where the template names no agent."""
        if self.template is None:
            return mirror_sessions_dir(self.state_dir, agent_id) / INDEX_NAME
        path = self.state_dir / render_template(self.template, agent_id=agent_id, home=self.home)
        return path if path.suffix == ".json" else path / INDEX_NAME

    def folder(self, key: SessionKey) -> Path:
        """The folder of a session's transcripts: beside the index of its agent."""
        return self.index(parse_key(key).agent_id or self.default_agent_id).parent

    def transcript(self, key: SessionKey, session_id: SessionId, *, closed_at: Instant | None = None) -> Path:
        """The file of a transcript; a closed one carries the time at which it ended."""
        name = name_transcript(key, session_id)
        if closed_at is not None:
            name = format_archive_name(ArchiveName(file_name=name, reason="reset", at=closed_at))
        return self.folder(key) / name


def name_transcript(key: SessionKey, session_id: SessionId) -> str:
    """The file name of a session's current transcript; it lies beside the index that lists the session (STORE-2)."""
    parts = parse_key(key)
    topic = parts.thread_id if parts.channel == "telegram" and parts.type == "group" else None
    return transcript_file_name(session_id, topic_id=topic)
