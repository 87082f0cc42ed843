"""What the API asks of the gateway. `instar.gateway` satisfies it by its shape; tests have a twin in memory.

The API checks the frame, the fields and the scope, and turns names of the wire into values; what an operation *does*
is behind this port. Every method may raise the errors named in its docstring, and any `StoreError`. `who` names the
one who is answerable, for decisions (WHY-1): a principal, or ``operator``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from instar.core.context.outcome import Compacted
from instar.core.delivery.redo import RedoAction
from instar.core.explain.replay import ReplayRules
from instar.core.explain.simulate import SimulationReport
from instar.core.explain.status import StatusFacts
from instar.core.explain.traffic import TrafficRecord
from instar.core.lifecycle.maintenance import CleanupOptions, Trigger
from instar.core.lifecycle.maintenance_report import MaintenanceReport
from instar.core.model.caller import Caller
from instar.core.model.change import Acknowledgement, DeliveryState, InboxItem, Submission, TranscriptHead
from instar.core.model.device import Device, DeviceReason, DeviceRequest, Devices, DeviceWish
from instar.core.model.event import Event
from instar.core.model.ids import (
    AccountId,
    AgentId,
    ChannelName,
    DeliveryId,
    EntryId,
    Instant,
    SessionId,
    SessionKey,
    TurnId,
)
from instar.core.model.keeping import ImportedTranscript, RestoredSession, StoredBackup
from instar.core.model.message import Inbound
from instar.core.model.pairing import Admission, Pairing, PairingCode, Pairings
from instar.core.model.people import ErasureReceipt, ExportedPerson, PersonRow
from instar.core.model.query import DecisionQuery, DeliveryRow, SearchPage, SearchQuery, SessionQuery, UsageRow
from instar.core.model.state import ChangesSince
from instar.core.model.token import ShownToken, Token
from instar.core.model.view import (
    DeletedSession,
    ForeseenMessage,
    GatewayFacts,
    GatewayStatus,
    History,
    NewSession,
    RunState,
    SessionListing,
    SessionRef,
    SessionView,
    ToldDecision,
)
from instar.core.policy.budget import BudgetState
from instar.core.policy.ownership import Touch
from instar.core.policy.tokens import TokenWish

__all__ = [
    "DevicesPort",
    "EventsPort",
    "ExportFormat",
    "GatewayPort",
    "KeepingPort",
    "OwnersPort",
    "PairingPort",
    "PeoplePort",
    "SessionsPort",
    "TokensPort",
    "Unsubscribe",
    "UpkeepPort",
]

Unsubscribe = Callable[[], None]
"""Ends a subscription; may be called twice."""


ExportFormat = Literal["json", "jsonl", "markdown", "html"]
"""How a session is exported (CLI-4)."""


class EventsPort(Protocol):
    """What happens, as it happens (`instar.gateway.events.EventHub`)."""

    def subscribe(self, subscriber: Callable[[Event], None]) -> Unsubscribe:
        """Call `subscriber` for every event from now on, in order, in the event loop's thread.

        A subscriber returns at once and never raises: what it does with an event it does later.
        """
        ...


class SessionsPort(Protocol):
    """Operations on sessions that callers may ask for."""

    def canonical_key(self, text: str, *, agent_id: AgentId | None = None, channel: str | None = None) -> SessionKey:
        """The key that `text` means: ``main`` and other short forms become full, as KEY-* says.

        `agent_id` is the agent that a short form belongs to, None for the default one; `channel` that of a bare
        ``group:<id>``. Raises `InvalidRequest` for a text that can be no key.
        """
        ...

    async def list(self, query: SessionQuery, *, titles: bool, last_messages: bool) -> SessionListing:
        """One page, in the order of RPC-32. `titles` and `last_messages` ask for the two texts of `SessionView`."""
        ...

    async def describe(self, key: SessionKey, *, titles: bool = False) -> SessionView | None:
        """One session, None when the key has none. `titles` asks for both texts of the view."""
        ...

    async def changes(self, asker: SessionKey, key: SessionKey, *, since: int) -> ChangesSince | None:
        """What happened in a session after a version, as `asker` may see it; None: nothing at all (STATE-8)."""
        ...

    async def history(self, key: SessionKey, *, limit: int, before_seq: int | None = None) -> History:
        """The newest `limit` messages of the current transcript; `before_seq` pages back.

        Only entries that hold messages are returned. A key without a session gives an empty history.
        """
        ...

    async def search(self, query: SearchQuery) -> SearchPage:
        """Messages in which all words occur, newest first; the text of a hit is a short excerpt (RPC-24)."""
        ...

    async def resolve(self, ref: SessionRef) -> tuple[SessionKey, ...]:
        """Every key that the reference matches, none or several included (RESOLVE-3)."""
        ...

    async def explain(self, query: DecisionQuery) -> tuple[ToldDecision, ...]:
        """What was decided and why, newest first, each with its sentence (WHY-2)."""
        ...

    async def find_messages(self, name: str) -> tuple[InboxItem, ...]:
        """The newest messages that their platforms call `name`; ``telegram:17`` means one of that channel (WHY-2)."""
        ...

    async def transcripts(self, key: SessionKey) -> tuple[TranscriptHead, ...]:
        """Every transcript of a session, newest first; the current one is not closed (LOSS-6)."""
        ...

    async def create(self, new: NewSession, *, who: str) -> SessionView:
        """Create a session (RPC-5). Raises `InvalidRequest` (label taken, bad model) and `NotFound` (parent)."""
        ...

    async def reset(self, key: SessionKey, *, reason: Literal["reset", "new"], who: str) -> SessionView:
        """Close the transcript and begin another (RPC-7, RPC-34); a running turn is stopped first."""
        ...

    async def delete(self, key: SessionKey, *, delete_transcript: bool, who: str) -> DeletedSession:
        """Delete a session (RPC-35). Raises `InvalidRequest` for main and global keys, `Unavailable` if a run stays."""
        ...

    async def patch(self, key: SessionKey, fields: Mapping[str, object], *, who: str) -> SessionView:
        """Apply a patch in wire spelling, without ``key`` (PATCH-*). Raises `InvalidRequest`, `Unavailable`."""
        ...

    async def inject(self, key: SessionKey, message: str, *, label: str | None, who: str) -> EntryId:
        """Append a line for people that no model wrote (RPC-18, TRANS-15). Raises `NotFound`."""
        ...

    async def abort(self, key: SessionKey, run_id: TurnId | None, *, who: str) -> tuple[TurnId, ...]:
        """Stop the running turn (or only that run) and give the ids of the runs that were stopped."""
        ...


class UpkeepPort(Protocol):
    """Operations that look after sessions."""

    async def compact(
        self, key: SessionKey, *, who: str, instructions: str = "", keep_lines: int | None = None, undo: bool = False
    ) -> Compacted:
        """Compact a session, or take its newest compaction back; a running turn is stopped first (RPC-9)."""
        ...

    async def resume(self, key: SessionKey, which: str, *, who: str) -> SessionId:
        """Make a closed transcript current again (LOSS-6). Raises `NotFound`, `InvalidRequest`."""
        ...

    async def export(
        self,
        key: SessionKey,
        *,
        form: ExportFormat,
        raw: bool = False,
        session_id: SessionId | None = None,
        all_branches: bool = False,
        is_owner: bool = True,
    ) -> str:
        """A session as a document (RPC-11). Raises `NotFound`."""
        ...

    async def usage(
        self, key: SessionKey | None, *, since: Instant | None, owner_in: Sequence[str] | None = None
    ) -> tuple[UsageRow, ...]:
        """What was spent (RPC-12). `owner_in` restricts as in `SessionQuery`; it counts without a key only."""
        ...

    async def budgets(self) -> tuple[BudgetState, ...]:
        """How each budget stands, with a forecast (COST-2)."""
        ...

    async def simulate(
        self, rules: ReplayRules, *, since: Instant, traffic: Sequence[TrafficRecord] | None
    ) -> SimulationReport:
        """What other rules would have made of the traffic on record since a moment, or of `traffic` (WHY-4)."""
        ...

    async def foresee(self, inbound: Inbound) -> ForeseenMessage:
        """What would become of a message of a channel (WHY-3). Raises `NotFound` for a channel that is not there."""
        ...

    async def clean(
        self,
        agent_id: AgentId | None,
        *,
        all_agents: bool,
        trigger: Trigger,
        active_key: SessionKey | None,
        options: CleanupOptions,
    ) -> tuple[MaintenanceReport, ...]:
        """Plan maintenance, and carry it out where that is enforced (RPC-10)."""
        ...


class KeepingPort(Protocol):
    """Operations by which nothing is lost: backups, held replies, deleted sessions."""

    async def back_up(self, name: str | None) -> StoredBackup:
        """Write a backup beside the store (LOSS-12). Raises `InvalidRequest` for a name that is taken or a path."""
        ...

    async def deliveries(
        self, states: Sequence[DeliveryState], *, key: SessionKey | None, limit: int
    ) -> tuple[DeliveryRow, ...]:
        """Replies in some states, newest first (LOSS-5)."""
        ...

    async def redo(self, delivery_id: DeliveryId, action: RedoAction, *, who: str) -> DeliveryRow:
        """Send a reply again, or let it go; as it was before. Raises `NotFound`, `InvalidRequest`."""
        ...

    async def import_transcript(self, data: bytes, *, name: str, key: SessionKey | None) -> ImportedTranscript:
        """Bring a foreign transcript in, under `key` or as a thread of its own (STORE-6). Raises `TranscriptError`."""
        ...

    async def restore(self, key: SessionKey | None, path: str | None, *, who: str) -> RestoredSession:
        """Bring a deleted session back from its archives (LOSS-8). Raises `NotFound`, `InvalidRequest`."""
        ...


class PairingPort(Protocol):
    """Who may write, in the owner's hand (LEAK-2)."""

    async def load(self) -> Pairings:
        """Everybody who was approved, and the codes that wait, the oldest first."""
        ...

    async def approve(self, code: str, *, who: str) -> Admission:
        """Let in whoever a code stands for. Raises `NotFound` for a wrong code, `Unavailable` after many of them."""
        ...

    async def reject(self, code: str, *, who: str) -> PairingCode:
        """Take a code out of the list. Raises as `approve`."""
        ...

    async def revoke(
        self, peer_id: str, *, channel: ChannelName | None, account_id: AccountId | None, who: str
    ) -> Pairing:
        """Take an approval back. Raises `NotFound`, and `InvalidRequest` where the id names several."""
        ...


class DevicesPort(Protocol):
    """Devices on other machines (LEAK-3)."""

    async def find(self, device_id: str) -> Device | None:
        """An approved device."""
        ...

    async def find_by_token(self, token_id: str) -> Device | None:
        """The device that a token was handed out to; None for a token of nobody's device."""
        ...

    async def ask(self, wish: DeviceWish, *, reason: DeviceReason) -> DeviceRequest:
        """Keep what a device asks for until the owner answers. Raises `Unavailable` when too many wait."""
        ...

    async def give_token(self, device: Device) -> tuple[str | None, str | None]:
        """The id of a device's token and, where it is made just now, its text."""
        ...

    async def load(self) -> Devices:
        """Every approved device, and those that wait, the oldest first."""
        ...

    async def approve(self, request_id: str, *, scopes: Sequence[str] | None, who: str) -> Device:
        """Let a device in, with the scopes it asked for or those that are named. Raises `NotFound`,
        `InvalidRequest`.
        """
        ...

    async def reject(self, request_id: str, *, who: str) -> DeviceRequest:
        """Take a request out of the list. Raises `NotFound`."""
        ...

    async def remove(self, device_id: str, *, who: str) -> Device:
        """Shut a device out. Raises `NotFound`, and `InvalidRequest` where the id means several."""
        ...


class TokensPort(Protocol):
    """Credentials beside the gateway's own secret (LEAK-3)."""

    async def create(self, wish: TokenWish, *, maker: Caller) -> tuple[Token, str]:
        """A new token and its text, which is told this once. Raises `InvalidRequest` for more than the maker holds."""
        ...

    async def list(self) -> tuple[Token, ...]:
        """Every token, revoked ones too, the newest first."""
        ...

    async def revoke(self, token_id: str, *, who: str) -> Token:
        """End a token for good and send away whoever came in by it. Raises `NotFound`."""
        ...

    async def find(self, text: str) -> ShownToken | None:
        """The token that a client shows, with what is wrong with it; None for a text that is none."""
        ...


class PeoplePort(Protocol):
    """What an operator asks about one person (LEAK-11)."""

    async def list(self, *, limit: int) -> tuple[PersonRow, ...]:
        """Everybody whom the store knows, whoever wrote last first."""
        ...

    async def export(self, text: str, *, name: str | None) -> ExportedPerson:
        """Write what is held about a person into the state directory. Raises `NotFound`, `InvalidRequest`."""
        ...

    async def plan(self, text: str) -> ErasureReceipt:
        """What an erasure would take out. Raises `NotFound`."""
        ...

    async def erase(self, text: str, *, drop_backups: bool, who: str) -> ErasureReceipt:
        """Take a person out of everything that is kept. Raises `NotFound`, `Unavailable`."""
        ...


class OwnersPort(Protocol):
    """Whose sessions are (LEAK-4)."""

    def names(self, caller: Caller) -> frozenset[str] | None:
        """Every name of the caller's principal, for queries; None for a caller who sees everything."""
        ...

    def home(self, caller: Caller, agent_id: AgentId | None) -> SessionKey:
        """The session that ``main`` means for a caller with a principal."""
        ...

    async def touches(
        self, callers: Sequence[Caller], keys: Sequence[SessionKey]
    ) -> Mapping[SessionKey, Sequence[Touch]]:
        """For each key, whether each caller may touch its session, there or not, in the order of `callers`."""
        ...

    def may_command(self, caller: Caller, key: SessionKey, touch: Touch) -> bool:
        """Whether a caller who may touch a session may give commands in it (CMD-4)."""
        ...


class GatewayPort(Protocol):
    """The gateway as the API sees it."""

    @property
    def owners(self) -> OwnersPort:
        """Whose sessions are."""
        ...

    @property
    def tokens(self) -> TokensPort:
        """Credentials beside the gateway's own secret."""
        ...

    @property
    def sessions(self) -> SessionsPort:
        """Operations on sessions."""
        ...

    @property
    def upkeep(self) -> UpkeepPort:
        """Operations that look after sessions."""
        ...

    @property
    def people(self) -> PeoplePort:
        """One person: what is held, and that it goes."""
        ...

    @property
    def devices(self) -> DevicesPort:
        """Devices on other machines."""
        ...

    @property
    def pairing(self) -> PairingPort:
        """Who may write."""
        ...

    @property
    def keeping(self) -> KeepingPort:
        """Operations by which nothing is lost."""
        ...

    @property
    def events(self) -> EventsPort:
        """What happens."""
        ...

    def facts(self) -> GatewayFacts:
        """What the gateway is: version, defaults, agents, models, commands. Cheap; asked for often."""
        ...

    async def status_facts(self, key: SessionKey) -> StatusFacts:
        """How one session stands, with what holds for it; changes nothing (STATUS-1…6)."""
        ...

    async def status(self, *, recent: int = 10, owner_in: tuple[str, ...] | None = None) -> GatewayStatus:
        """What is going on, with the most recently used sessions; with `owner_in` of what a principal sees only."""
        ...

    async def submit(self, submission: Submission) -> Acknowledgement:
        """Commit a message and answer what its sender is told (LOSS-1); the run goes on by itself.

        The same (channel, account, message id) gives the first answer again with `repeated` set, and runs nothing.
        `turn_id` is set for an accepted message with a `run_id`. Raises `Unavailable` when nothing was stored.
        """
        ...

    async def run_state(self, run_id: TurnId, *, principal: str | None = None) -> RunState | None:
        """How far a run is; None when the id was never accepted. `principal` is whose client asks, None the owner's."""
        ...

    async def wait_run(self, run_id: TurnId, *, timeout_ms: int, principal: str | None = None) -> RunState | None:
        """As `run_state`, but waits up to so long for the run to end; the state tells whether it did."""
        ...
