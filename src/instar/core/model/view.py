"""What the gateway shows of itself and of its sessions to callers: answers of operations, as plain values.

Rows of lists, frames of the wire and tables of the terminal are rendered from these; none of them is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.decision import RecordedDecision
from instar.core.model.ids import AgentId, ChannelName, Instant, SessionId, SessionKey, TurnId
from instar.core.model.query import StoredEntry
from instar.core.model.session import Session

__all__ = [
    "AgentFacts",
    "ChannelFacts",
    "CommandFacts",
    "DeletedSession",
    "ForeseenMessage",
    "GatewayFacts",
    "GatewayStatus",
    "History",
    "ModelFacts",
    "NewSession",
    "RunState",
    "RunStatus",
    "SessionListing",
    "SessionRef",
    "SessionView",
    "ToldDecision",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session with what its row in the store does not hold (RPC-31).

    `active_run_ids` are turns that run now. `derived_title` and `last_message` are filled only where they were
    asked for: the first words of the first user message, and the text of the last message. `state_version` is the
    highest sequence of its log, 0 before anything happened (STATE-2).
    """

    session: Session
    active_run_ids: tuple[TurnId, ...] = ()
    derived_title: str | None = None
    last_message: str | None = None
    state_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListing:
    """One page of a list, and how many sessions match without the limit."""

    sessions: tuple[SessionView, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRef:
    """Which session is meant: exactly one of `key`, `session_id` and `label` is set (RESOLVE-1, RESOLVE-2).

    `owner_in` restricts what is found by id or label as in `SessionQuery`.
    """

    key: SessionKey | None = None
    session_id: str | None = None
    label: str | None = None
    agent_id: AgentId | None = None
    spawned_by: SessionKey | None = None
    include_global: bool = False
    include_unknown: bool = False
    owner_in: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to create (RPC-5). `key` None draws ``agent:<id>:dashboard:<uuid>`` (DASH-6).

    `fork` copies the words of `parent_key` into the new transcript. `owner` is the principal who opens it. `incognito`
    keeps it in memory, under a key that is drawn (KEY-22); `began_with` are the credentials that then see it too, as
    `Caller.credentials` names them.
    """

    key: SessionKey | None = None
    agent_id: AgentId | None = None
    label: str | None = None
    model: str | None = None
    thinking_level: str | None = None
    parent_key: SessionKey | None = None
    fork: bool = False
    owner: str | None = None
    incognito: bool = False
    began_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedSession:
    """What became of a deletion (RPC-8). `archived` are the paths of the archives that were written."""

    key: SessionKey
    deleted: bool
    archived: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest messages of a session in order (RPC-15).

    `session` is None when the key has no session yet; then there are no entries. `total` counts all messages of the
    transcript. `thinking` is the level that holds in the session (RESOLVE-5).
    """

    key: SessionKey
    session: SessionView | None = None
    session_id: SessionId | None = None
    entries: tuple[StoredEntry, ...] = ()
    has_more: bool = False
    total: int = 0
    thinking: str = "off"


RunStatus = Literal["waiting", "running", "ok", "error", "aborted"]
"""Where a run is: before its lane took it, in it, or ended well, badly, or by a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How far a run is. `error` is a readable sentence where there is one. Known also after a restart (LOSS-1)."""

    run_id: TurnId
    status: RunStatus
    session_key: SessionKey | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model that may be chosen. `available` says that its provider has what it needs (a key, an address).

    `thinking_levels` are those it knows, from none to most; empty for one that does not think.
    """

    provider: str
    id: str
    name: str = ""
    context_window: int | None = None
    reasoning: bool = False
    is_default: bool = False
    available: bool = True
    alias: str | None = None
    input_kinds: tuple[str, ...] = ("text",)
    thinking_levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """An agent as it is configured. `model` is ``provider/id`` or empty, `fallbacks` those that stand in, in order."""

    id: AgentId
    name: str = ""
    is_default: bool = False
    model: str = ""
    fallbacks: tuple[str, ...] = ()
    emoji: str | None = None
    workspace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """A configured channel: its type, whether it runs, and why not."""

    name: ChannelName
    type: str
    running: bool
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFacts:
    """A chat command, with its other spellings."""

    name: str
    description: str
    aliases: tuple[str, ...] = ()
    takes_arguments: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """What does not change from one request to the next; read without waiting.

    `scope` is ``per-sender`` or ``global`` (`session.scope`). `model` is the default model, None when there is none.
    """

    version: str
    started_at: Instant
    default_agent_id: AgentId
    main_key: str
    main_session_key: SessionKey
    scope: str
    store_path: str
    state_dir: str
    config_path: str
    model: ModelFacts | None = None
    models: tuple[ModelFacts, ...] = ()
    agents: tuple[AgentFacts, ...] = ()
    commands: tuple[CommandFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """What is going on (RPC-21). `store` holds the store's own facts: engine, schema version, counts."""

    sessions: int
    recent: tuple[SessionView, ...] = ()
    channels: tuple[ChannelFacts, ...] = ()
    runs_active: int = 0
    messages_waiting: int = 0
    deliveries_waiting: int = 0
    store: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDecision:
    """A recorded decision, the question a person would ask, and its answer in one sentence (WHY-2)."""

    recorded: RecordedDecision
    question: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeseenMessage:
    """What would become of a message, with every decision that it would meet (WHY-3).

    `status` is ``accepted``, ``observed`` or ``refused``, with `reason` and `hint` for the last. `next_expiry_at` is
    when the session would start over without a word more, None if never or where there is no session yet.
    """

    status: str
    session_key: SessionKey
    agent_id: AgentId
    decisions: tuple[ToldDecision, ...]
    reason: str | None = None
    hint: str = ""
    next_expiry_at: Instant | None = None
