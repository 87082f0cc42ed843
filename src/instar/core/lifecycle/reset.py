"""When a session starts over, as configured, and what the new life keeps of the old one (RESET-1…11, RESET-22, 23).

A policy is resolved from layers. The object of the channel stands alone; otherwise each field comes from the first of
type, base and flat object that names it. Resolved once, a `ResetPolicy` is all that `freshness` needs to know.

Two settings are not about when but about manners: the quiet time and the notice (LOSS-7). They are promises to the
person who writes, so a channel that sets its own hour does not lose them: the most specific object that names them
counts, the channel's first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from instar.core.model.change import Submission
from instar.core.model.ids import ChannelName, Instant, SessionId, SessionKey
from instar.core.model.session import Counters, Origin, Overrides, Session
from instar.core.routing.key import is_group_key, is_thread_key

__all__ = [
    "COMPACTION_FIELD",
    "DEFAULT_HOUR",
    "NOTICE_FIELD",
    "PROVIDER_SESSION_FIELDS",
    "STAND_IN_EVENT_FIELD",
    "STAND_IN_FIELD",
    "ResetMode",
    "ResetPolicy",
    "ResetRule",
    "ResetSettings",
    "ResetType",
    "apply_reset",
    "apply_soft_reset",
    "forget_life",
    "is_provider_owned",
    "resolve_reset_policy",
    "resolve_reset_type",
    "resolve_session_type",
]

ResetMode = Literal["daily", "idle", "none"]
"""Which tests are made: the daily one (and the idle one where a window is set), the idle one only, none (RESET-1)."""

ResetType = Literal["direct", "group", "thread"]
"""What kind of place a policy is for (RESET-11)."""

DEFAULT_HOUR: Final = 4
"""Local hour of the daily reset where nobody says another (RESET-1)."""

_DEFAULT_IDLE_S: Final = 3600
"""The idle window of mode `idle` where nobody gives one, in seconds (RESET-10)."""

PROVIDER_SESSION_FIELDS: Final = frozenset({"cliSessionIds", "cliSessionBindings", "claudeCliSessionId"})
"""Fields of a session row in which imported stores keep a provider's own session ids (RESET-27, CMD-8)."""

NOTICE_FIELD: Final = "resetNotice"
"""The field of a session row that says why it started over, until its person was told (LOSS-7)."""

COMPACTION_FIELD: Final = "compactionFailed"
"""The field that says how many summaries in a row could not be made, and when the last (COMPACT-18)."""

STAND_IN_FIELD: Final = "modelStandIn"
"""The field that holds what people were told in its chats of the model that answers instead of the session's own
(CFG-13).
"""

STAND_IN_EVENT_FIELD: Final = "modelStandInEvent"
"""The field that holds what clients were told of it by an event, where its chats were not told the same (CFG-13)."""

_LIFE_FIELDS: Final = PROVIDER_SESSION_FIELDS | {
    "sessionFile",
    "skillsSnapshot",
    "systemPromptReport",
    NOTICE_FIELD,
    COMPACTION_FIELD,
    STAND_IN_FIELD,
    STAND_IN_EVENT_FIELD,
}
"""Fields of a session row that belong to one life of it and must not be carried into the next (RESET-22, ENTRY-7)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRule:
    """One reset object as configured; None means that the object does not name the field (RESET-3).

    `idle_s` 0 switches the idle test off, which is something else than not naming it (RESET-5).
    """

    mode: ResetMode | None = None
    at_hour: int | None = None
    at_minute: int | None = None
    idle_s: int | None = None
    quiet_s: int | None = None
    notify: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSettings:
    """All reset objects of the configuration (RESET-7, RESET-8). None means that there is no such object.

    `flat` is made of the single fields `session.resetTime`, `idleTimeout` and `idleMinutes`. `by_type` None and an
    empty `by_type` differ: an empty one is there, and that decides RESET-9.
    """

    by_channel: Mapping[ChannelName, ResetRule] = field(default_factory=dict)
    by_type: Mapping[ResetType, ResetRule] | None = None
    base: ResetRule | None = None
    flat: ResetRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPolicy:
    """The rule that holds for one session.

    `at_hour` and `at_minute` are local wall time of the gateway's host. `idle_s` is the idle window in seconds, None
    when there is no idle test. `quiet_s` puts off a daily reset while the session was used within so many seconds.
    `explicit` is False when nobody configured anything: such a policy does not cut a provider's own session
    (RESET-27).
    """

    mode: ResetMode = "daily"
    at_hour: int = DEFAULT_HOUR
    at_minute: int = 0
    idle_s: int | None = None
    quiet_s: int = 0
    notify: bool = True
    explicit: bool = False


def resolve_reset_policy(settings: ResetSettings, reset_type: ResetType, channel: ChannelName | None) -> ResetPolicy:
    """The policy for a session of this type that is spoken to through `channel` (RESET-8…10, LOSS-7).

    `channel` is in its canonical spelling, None for sources without one.
    """
    own = settings.by_channel.get(channel) if channel else None
    type_rule = (settings.by_type or {}).get(reset_type)
    inherited = (type_rule, settings.base, settings.flat)
    # The object of a channel replaces everything, even when it is empty (RESET-8).
    layers = tuple(rule for rule in ((own,) if own is not None else inherited) if rule is not None)
    everyone = (own, *inherited)
    mode: ResetMode = _first(rule.mode for rule in layers) or _unspoken_mode(settings, own=own)
    return ResetPolicy(
        mode=mode,
        at_hour=_first_of((rule.at_hour for rule in layers), default=DEFAULT_HOUR),
        at_minute=_first_of((rule.at_minute for rule in layers), default=0),
        idle_s=_idle_window(mode, _first(rule.idle_s for rule in layers)),
        quiet_s=_first_of((rule.quiet_s for rule in everyone if rule), default=0),
        notify=_first_of((rule.notify for rule in everyone if rule), default=True),
        explicit=bool(layers),
    )


def resolve_reset_type(key: SessionKey, *, is_group: bool = False, is_thread: bool = False) -> ResetType:
    """What kind of place a session is, by its key and by what its channel reported (RESET-11).

    `is_thread` is true for a message with a thread id, a thread label, a thread starter text or a parent session.
    """
    if is_thread or is_thread_key(key):
        return "thread"
    return "group" if is_group or is_group_key(key) else "direct"


def resolve_session_type(key: SessionKey, session: Session | None, submission: Submission | None) -> ResetType:
    """What kind of place a session is, by its key, by where the message was written, and by its row (RESET-11).

    Where no message is at hand, or one that names its session, the row says where the session was last spoken to. A
    session that has a parent is a thread of it.
    """
    origin = session.origin if session is not None else Origin()
    if submission is not None and submission.session_key is None:
        chat = submission.inbound.chat
        is_group = chat.type != "direct"
        is_thread = chat.thread_id is not None or chat.parent_id not in {None, chat.id}
    else:
        is_group, is_thread = origin.chat_type not in {None, "direct"}, origin.thread_id is not None
    return resolve_reset_type(key, is_group=is_group, is_thread=is_thread or origin.parent_key is not None)


def is_provider_owned(session: Session) -> bool:
    """Whether a provider keeps this session on its side, so that the default policy does not cut it (RESET-27)."""
    return not PROVIDER_SESSION_FIELDS.isdisjoint(session.extra)


def apply_reset(session: Session, *, session_id: SessionId, now: Instant) -> Session:
    """The session at the start of its next life (RESET-22, RESET-23).

    Kept are who and where it is, what a person set for it, and what it owes to others. Counters, caches, flags and
    provider-side sessions end with the old life, and so do automatic auth choices.
    """
    lifecycle = session.lifecycle
    return replace(
        session,
        session_id=session_id,
        lifecycle=replace(
            lifecycle,
            started_at=now,
            last_interaction_at=now,
            updated_at=max(now, lifecycle.updated_at or now),  # ENTRY-9: never backwards, whatever the clock does
            revision=lifecycle.revision + 1,
        ),
        naming=replace(session.naming, first_words=None),
        overrides=_keep_overrides(session.overrides),
        counters=Counters(model_provider=session.counters.model_provider, model=session.counters.model),
        extra=_without(session.extra, _LIFE_FIELDS),
    )


def apply_soft_reset(session: Session, *, now: Instant) -> Session:
    """The session after `/reset soft`: same id and transcript, a fresh start on the provider's side (CMD-8).

    `system_sent` falls so that the start-up context is built anew. Since the life goes on, what its person was to be
    told about its beginning is still owed (LOSS-7).
    """
    lifecycle = session.lifecycle
    return replace(
        session,
        lifecycle=replace(lifecycle, updated_at=max(now, lifecycle.updated_at or now)),
        counters=replace(session.counters, system_sent=False, aborted_last_run=False),
        extra=_without(session.extra, _LIFE_FIELDS - {"sessionFile", NOTICE_FIELD}),
    )


def forget_life(extra: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a session row without those that belong to the life that is over."""
    return _without(extra, _LIFE_FIELDS)


def _unspoken_mode(settings: ResetSettings, *, own: ResetRule | None) -> ResetMode:
    """The mode where no object names one: `idle` for old installs that set nothing but an idle time (RESET-9)."""
    is_old_install = own is None and settings.base is None and settings.by_type is None and settings.flat is not None
    # A flat reset time names the mode itself, so a flat object that comes here holds an idle time only (RESET-4).
    return "idle" if is_old_install else "daily"


def _idle_window(mode: ResetMode, configured_s: int | None) -> int | None:
    """The idle window in seconds, None for no idle test (RESET-10)."""
    if mode == "none" or configured_s == 0:
        return None
    return configured_s or (_DEFAULT_IDLE_S if mode == "idle" else None)


def _keep_overrides(old: Overrides) -> Overrides:
    """What a person set and RESET-23 keeps, and of the rest only what narrows rights.

    Rights to reach the host (elevated, exec) were given to a life of the session and end with it. A restriction must
    not end so: nobody may leave a sandbox by waiting for four o'clock.
    """
    is_automatic = old.auth_profile_override_source == "auto"
    return Overrides(
        thinking_level=old.thinking_level,
        verbose_level=old.verbose_level,
        reasoning_level=old.reasoning_level,
        response_usage=old.response_usage,
        send_policy=old.send_policy,
        group_activation=old.group_activation,
        queue_mode=old.queue_mode,
        queue_debounce_ms=old.queue_debounce_ms,
        queue_cap=old.queue_cap,
        queue_drop=old.queue_drop,
        provider_override=old.provider_override,
        model_override=old.model_override,
        auth_profile_override=None if is_automatic else old.auth_profile_override,
        auth_profile_override_source=None if is_automatic else old.auth_profile_override_source,
        sandbox_mode=True if old.sandbox_mode else None,
        elevated_level=_only(old.elevated_level, {"off"}),
        exec_host=_only(old.exec_host, {"sandbox"}),
        exec_security=_only(old.exec_security, {"deny", "allowlist"}),
        exec_ask=_only(old.exec_ask, {"always"}),
    )


def _only(value: str | None, restrictions: set[str]) -> str | None:
    return value if value in restrictions else None


def _without(extra: Mapping[str, object], names: frozenset[str]) -> Mapping[str, object]:
    return {name: value for name, value in extra.items() if name not in names}


def _first(values: Iterator[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _first_of(values: Iterator[T | None], *, default: T) -> T:
    found = _first(values)
    return default if found is None else found
