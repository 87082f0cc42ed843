"""What a security audit looks at and what it finds, as values (AUDIT-1).

What belongs here: the facts, gathered elsewhere, and the shape of a finding. What does not: the rules (`audit`,
`audit_channels`, `audit_host`) and gathering (`instar.config.audit_view`, `instar.stores.audit`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from instar.core.model.ids import ChannelName, SessionKey
from instar.core.policy.access import AccessSettings
from instar.core.routing.identity import NO_LINKS, Links

__all__ = [
    "AuditFacts",
    "AuditFinding",
    "ChannelFacts",
    "FileFacts",
    "FilePlace",
    "GatewayFacts",
    "HooksFacts",
    "Meeting",
    "Noticed",
    "Severity",
]

Severity = Literal["critical", "warn", "info"]

FilePlace = Literal["state", "config", "store"]
"""The state directory, the configuration file, or a file of sessions: database, transcripts, archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing found, in the words of the protocol. `remediation` is for a person to paste; empty if there is none."""

    check_id: str
    severity: Severity
    title: str
    detail: str
    remediation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """One channel that is started. `shares_main` says that direct chats come to the main session.

    `paired` are people whom the owner approved, `groups` groups that are named or approved. `token_chars` is the length
    of its secret, None without one; `is_gateway_secret` says that it is the gateway's own.
    """

    name: ChannelName
    path: str
    access: AccessSettings
    shares_main: bool
    accounts: int = 1
    paired: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    token_chars: int | None = None
    is_gateway_secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """Where the gateway listens and what opens it. `secret_chars` is None without a secret."""

    host: str = "127.0.0.1"
    is_loopback: bool = True
    auth_mode: str = "token"
    secret_chars: int | None = None
    session_key_override: bool = False
    """HTTP callers may name a session by its key."""
    redacts: bool = True
    """`logging.redactSensitive` is not off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksFacts:
    """Webhooks as they are configured. `token_chars` is None without a token; `is_literal` says that it stands in the
    file itself.
    """

    enabled: bool = False
    token_chars: int | None = None
    is_literal: bool = False
    is_gateway_secret: bool = False
    path: str = "/hooks"
    default_session_key: str | None = None
    allows_session_keys: bool = False
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file or folder and its mode, as `os.stat` gives it (the permission bits are looked at)."""

    place: FilePlace
    path: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """What the lint of the configuration noticed (WHY-5)."""

    code: str
    is_critical: bool
    path: str
    what: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A session in which direct messages of several people stand; `people` by name or ``<channel>:<peer>``, sorted.

    `is_over` says that they met in transcripts that are closed: the agent does not see them, but whoever resumes one.
    """

    session_key: SessionKey
    people: tuple[str, ...]
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFacts:
    """Everything the audit looks at. `group_scope_main` are the settings that bring groups into the main session.

    `meetings` is empty unless the store was read (``--deep``). `suppressed` are checkIds that the owner knows of.
    """

    channels: tuple[ChannelFacts, ...] = ()
    group_scope_main: tuple[str, ...] = ()
    links: Links = NO_LINKS
    gateway: GatewayFacts = field(default_factory=GatewayFacts)
    hooks: HooksFacts = field(default_factory=HooksFacts)
    files: tuple[FileFacts, ...] = ()
    noticed: tuple[Noticed, ...] = ()
    meetings: tuple[Meeting, ...] = ()
    unread: str = ""
    """Why the store could not be read; empty if it was, or was not asked for."""
    suppressed: frozenset[str] = frozenset()
