"""What an operator may look at and change beside sessions: the configuration in use, and the log (RPC-20, RPC-22)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from instar.core.explain.replay import ReplayRules
from instar.core.model.ids import Instant
from instar.core.policy.audit import AuditReport
from instar.errors import Unavailable

__all__ = ["Auditor", "ConfigKeeper", "ConfigState", "LogReader", "LogTail", "NoAuditor", "NoConfig", "NoLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigState:
    """The configuration that holds. `config` is without secrets; `text_hash` changes whenever the file does.

    `problem` says why the file, as it stands, is not what holds (CFG-2); None when it is. `waiting` names settings
    that were changed and take effect at the next start. `findings` are what was noticed about what holds.
    """

    path: str = ""
    exists: bool = False
    text_hash: str = ""
    config: Mapping[str, object] = field(default_factory=dict)
    loaded_at: Instant | None = None
    problem: str | None = None
    waiting: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


class ConfigKeeper(Protocol):
    """The configuration of a running gateway and its file."""

    def state(self) -> ConfigState:
        """What holds now."""
        ...

    async def write(self, change: Callable[[str], str], *, base_hash: str | None, who: str) -> ConfigState:
        """Change the file by a function over its text and let it hold; what holds then.

        Raises `InvalidRequest` when `base_hash` is not that of the file, and ConfigError for a text that cannot be
        used or is never meant (WHY-5). The file is then as it was.
        """
        ...

    def propose(self, change: Callable[[str], str]) -> ReplayRules:
        """What would hold if the file were changed so; nothing is written. Raises ConfigError for a text that cannot
        be used; what is never meant may be tried.
        """
        ...

    def schema(self) -> Mapping[str, object]:
        """``{schema, uiHints}``: every setting as JSON Schema, and help for each by its path."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """Lines of the log. `cursor` is where the next question goes on, `size` the length of the file.

    `truncated` says that older lines were left out, `reset` that the file is another one than the cursor was for.
    """

    file: str
    cursor: int = 0
    size: int = 0
    lines: tuple[str, ...] = ()
    truncated: bool = False
    reset: bool = False


class LogReader(Protocol):
    """The gateway's own log."""

    async def tail(self, *, cursor: int | None, limit: int, max_bytes: int, session: frozenset[str] | None) -> LogTail:
        """Lines from `cursor` on, or the last ones without it (RPC-20).

        At most `limit` lines and `max_bytes` are read, the newest ones. `session` keeps lines that name one of these
        keys or session ids.
        """
        ...


class Auditor(Protocol):
    """Looks over configuration, files and store for what is risky (AUDIT-1)."""

    async def audit(self, *, is_deep: bool) -> AuditReport:
        """What is risky now; `is_deep` reads the whole store. Nothing is changed."""
        ...


class NoAuditor:
    """Stands where a gateway has neither files nor a configuration of its own."""

    async def audit(self, *, is_deep: bool) -> AuditReport:  # noqa: ARG002 - there is nothing to read
        """Refuse."""
        raise Unavailable("This gateway cannot be audited", fix="Run `instar security audit` on its own machine.")


class NoConfig:
    """Stands where a gateway has no file: an empty configuration that cannot be written."""

    def state(self) -> ConfigState:
        """Nothing."""
        return ConfigState()

    async def write(self, change: Callable[[str], str], *, base_hash: str | None, who: str) -> ConfigState:  # noqa: ARG002 - nothing is written
        """Refuse."""
        raise Unavailable("This gateway has no configuration file", fix="Change it where the gateway is built.")

    def propose(self, change: Callable[[str], str]) -> ReplayRules:  # noqa: ARG002 - there is nothing to change
        """Refuse."""
        raise Unavailable("This gateway has no configuration file", fix="Ask a gateway that has one.")

    def schema(self) -> Mapping[str, object]:
        """Nothing."""
        return {"schema": {}, "uiHints": {}}


class NoLog:
    """Stands where a gateway writes no log file."""

    async def tail(
        self,
        *,
        cursor: int | None,  # noqa: ARG002 - there is nothing to read
        limit: int,  # noqa: ARG002 - the same
        max_bytes: int,  # noqa: ARG002 - the same
        session: frozenset[str] | None,  # noqa: ARG002 - the same
    ) -> LogTail:
        """No lines."""
        return LogTail(file="none")
