"""The session that an imported transcript makes: what can be told from its lines, and nothing invented (STORE-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instar.core.model.entry import AnyEntry, AssistantMessage, CompactionEntry, Header, MessageEntry, UserMessage
from instar.core.model.ids import AgentId, SessionKey
from instar.core.model.session import Counters, Lifecycle, Naming, Overrides, Session
from instar.core.policy.levels import parse_thinking
from instar.core.transcript.tree import branch_path, find_leaf, find_settings
from instar.core.turn.entries import build_first_words

__all__ = ["build_imported_session", "find_unknown_level", "read_level"]


def build_imported_session(
    header: Header, entries: Sequence[AnyEntry], *, key: SessionKey, agent_id: AgentId
) -> Session:
    """The session of a foreign transcript, with the model and thinking level its branch ends with.

    Times are those of the file: the session is as old as its words, so that a reset comes when it would have come.
    """
    times = [entry.timestamp for entry in entries if entry.timestamp is not None]
    asked = [at for entry in entries if _is_from_person(entry) and (at := entry.timestamp) is not None]
    branch = branch_path(entries, find_leaf(entries)).entries
    settings = find_settings(branch)
    messages = [entry.message for entry in entries if isinstance(entry, MessageEntry)]
    calls = [message.usage for message in messages if isinstance(message, AssistantMessage)]
    return Session(
        key=key,
        agent_id=agent_id,
        session_id=header.id,
        lifecycle=Lifecycle(
            started_at=header.timestamp if header.timestamp is not None else min(times, default=None),
            last_interaction_at=max(asked, default=None),
            updated_at=max(times, default=header.timestamp),
            last_activity_at=max(times, default=None),
        ),
        naming=Naming(first_words=build_first_words(branch)),
        overrides=read_level(Overrides(thinking_level=settings.thinking_level)),
        counters=Counters(
            input_tokens=sum(usage.input for usage in calls),
            output_tokens=sum(usage.output for usage in calls),
            compaction_count=sum(isinstance(entry, CompactionEntry) for entry in branch),
            model_provider=settings.provider,
            model=settings.model_id,
        ),
    )


def read_level(overrides: Overrides) -> Overrides:
    """Settings of another program with its thinking word as a level; a word that is no level is left out (X-16)."""
    word = parse_thinking(overrides.thinking_level or "")
    if word is None:
        return replace(overrides, thinking_level=None)
    return replace(overrides, thinking_level=word.level, reasoning_level=overrides.reasoning_level or word.reasoning)


def find_unknown_level(entries: Sequence[AnyEntry]) -> str | None:
    """The thinking word that the branch of a transcript ends with and that is no level; None for none."""
    level = find_settings(branch_path(entries, find_leaf(entries)).entries).thinking_level
    return level if level and parse_thinking(level) is None else None


def _is_from_person(entry: AnyEntry) -> bool:
    return isinstance(entry, MessageEntry) and isinstance(entry.message, UserMessage)
