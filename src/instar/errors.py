"""Every error that Instar raises on purpose, in one tree.

::

    InstarError
    ├── ConfigError              the configuration cannot be used
    ├── InvalidRequest           a caller asked for something that makes no sense
    ├── NotFound                 no such session, message, turn
    ├── Forbidden                the caller may not do this
    ├── Unavailable              not now; say when to repeat
    │   ├── GatewayUnreachable   no gateway answers
    │   └── QueueFull            a limit is reached
    ├── StoreError               the session store
    │   ├── StoreLocked          another process uses the state directory
    │   ├── StoreTooNew          the database was written by a newer build
    │   ├── StoreUnreadable      not a database, or a damaged one
    │   ├── StoreFull            no space left on the disk
    │   ├── StoreReadOnly        the disk or the file cannot be written
    │   └── FenceLost            another gateway owns this session now
    ├── TranscriptError          a transcript that cannot be imported
    ├── ModelError               a model request failed
    │   ├── ModelAuthFailed      the key was refused
    │   ├── ModelNotFound        the provider has no such model
    │   ├── ModelOverflow        the prompt does not fit the window
    │   ├── ModelRateLimited     too many requests, or the quota is used up
    │   ├── ModelUnavailable     overloaded, failing, unreachable, timed out
    │   ├── ModelRejected        the provider refused the request for another reason
    │   └── ModelCutOff          the answer ended before it was complete
    ├── ChannelError             a channel could not send
    └── InvariantBroken          a promise of the code itself was broken

Each class has a stable `code` (docs and the command line use it; `docs/reference/errors.md` lists it).
Each error says what happened, why, and how to fix it. Expected outcomes (denied, stale, duplicate,
queued) are not errors; they are decisions. Codes of the wire live in `instar.protocol.errors`.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ChannelError",
    "ConfigError",
    "FenceLost",
    "Forbidden",
    "GatewayUnreachable",
    "InstarError",
    "InvalidRequest",
    "InvariantBroken",
    "ModelAuthFailed",
    "ModelCutOff",
    "ModelError",
    "ModelNotFound",
    "ModelOverflow",
    "ModelRateLimited",
    "ModelRejected",
    "ModelUnavailable",
    "NotFound",
    "QueueFull",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreReadOnly",
    "StoreTooNew",
    "StoreUnreadable",
    "TranscriptError",
    "Unavailable",
]


class InstarError(Exception):
    """The root: `what` happened, `why`, and the `fix`. ``str()`` joins them into one readable text."""

    code: ClassVar[str] = "instar"

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        """What, why and fix as sentences, without empty parts."""
        head = f"{self.what.rstrip('.')}: {self.why.rstrip('.')}." if self.why else f"{self.what.rstrip('.')}."
        return f"{head} {self.fix}" if self.fix else head

    @property
    def outside(self) -> str:
        """What people and programs may be told who do not run this gateway: as `str`, but no path of its machine."""
        return str(self)


class ConfigError(InstarError):
    """The configuration cannot be used. `path` is the setting, `file`, `line` and `column` (from 1) its place."""

    code = "config"

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        path: str = "",
        file: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.path = path
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """The place in front, as compilers write it: ``file:line:column: path: what: why. fix``."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in ("", None))
        parts = [part for part in (place, self.path) if part]
        return ": ".join([*parts, super().__str__()])


class InvalidRequest(InstarError):
    """A caller asked for something that makes no sense; `field` names the offending part, if one does."""

    code = "invalid_request"

    def __init__(self, what: str, *, why: str = "", fix: str = "", field: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.field = field


class NotFound(InstarError):
    """There is no such session, message or turn, or the caller may not know of it (LEAK-4)."""

    code = "not_found"


class Forbidden(InstarError):
    """The caller may not do this; `missing_scope` names the scope that would allow it, if one does."""

    code = "forbidden"

    def __init__(self, what: str, *, why: str = "", fix: str = "", missing_scope: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.missing_scope = missing_scope


class Unavailable(InstarError):
    """Not now. `retry_after_ms` says when to repeat; None means that nobody knows."""

    code = "unavailable"

    def __init__(self, what: str, *, why: str = "", fix: str = "", retry_after_ms: int | None = None) -> None:
        super().__init__(what, why=why, fix=fix)
        self.retry_after_ms = retry_after_ms


class GatewayUnreachable(Unavailable):
    """No gateway answers at the address that was tried."""

    code = "gateway_unreachable"


class QueueFull(Unavailable):
    """A queue has reached its limit and takes no more."""

    code = "queue_full"


class StoreError(InstarError):
    """The session store could not do what it was asked."""

    code = "store"

    @property
    def outside(self) -> str:
        """Where the store lies and what is wrong with it are for whoever runs the gateway (LEAK-12)."""
        return "The gateway cannot use its store now. Nothing was stored; try again later."


class StoreLocked(StoreError):
    """Another process uses the state directory; `pid` is its process id, None if unknown (GW-14)."""

    code = "store_locked"

    def __init__(self, what: str, *, why: str = "", fix: str = "", pid: int | None = None) -> None:
        super().__init__(what, why=why, fix=fix)
        self.pid = pid


class StoreTooNew(StoreError):
    """The database was written by a newer build and this one must not touch it."""

    code = "store_too_new"


class StoreUnreadable(StoreError):
    """The file is not a database of Instar, or is damaged."""

    code = "store_unreadable"


class StoreFull(StoreError):
    """The disk is full: nothing of the refused write was stored."""

    code = "store_full"

    @property
    def outside(self) -> str:
        """That a disk is full, not which."""
        return "The gateway's disk is full. Nothing was stored; try again later."


class StoreReadOnly(StoreError):
    """The disk or the file cannot be written."""

    code = "store_read_only"


class FenceLost(StoreError):
    """A write came from an owner that is no longer the newest of its session (SCALE-2)."""

    code = "fence_lost"


class TranscriptError(InstarError):
    """A transcript file that cannot be imported; `line` counts from 1, None for the file as a whole."""

    code = "transcript"

    def __init__(self, what: str, *, why: str = "", fix: str = "", line: int | None = None) -> None:
        super().__init__(what, why=why, fix=fix)
        self.line = line


class ModelError(InstarError):
    """A model request failed. `provider` and `model` name it; `retry_after_ms` is the provider's word or None.

    `lasting` is True when waiting cannot help although the kind of error often passes: a quota that is used up.
    """

    code = "model"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        provider: str = "",
        model: str = "",
        retry_after_ms: int | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.provider = provider
        self.model = model
        self.retry_after_ms = retry_after_ms
        self.lasting = lasting


class ModelAuthFailed(ModelError):
    """The provider refused the key."""

    code = "model_auth"


class ModelNotFound(ModelError):
    """The provider has no such model."""

    code = "model_not_found"


class ModelOverflow(ModelError):
    """The prompt does not fit the model's window (COMPACT-4, COMPACT-5)."""

    code = "model_overflow"


class ModelRateLimited(ModelError):
    """Too many requests, or the quota is used up."""

    code = "model_rate_limited"
    retryable = True


class ModelUnavailable(ModelError):
    """The provider is overloaded, failing, unreachable or too slow."""

    code = "model_unavailable"
    retryable = True


class ModelRejected(ModelError):
    """The provider refused the request for a reason that no repetition mends."""

    code = "model_rejected"


class ModelCutOff(ModelError):
    """The stream ended cleanly but before the answer was complete."""

    code = "model_cut_off"
    retryable = True


class ChannelError(InstarError):
    """A channel could not send. `permanent` is True when a repetition cannot help.

    `retry_after_ms` is the platform's own word on when to come back, None if it gave none.
    """

    code = "channel"

    def __init__(
        self, what: str, *, why: str = "", fix: str = "", permanent: bool = False, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.permanent = permanent
        self.retry_after_ms = retry_after_ms


class InvariantBroken(InstarError):
    """A promise of the code itself was broken; `invariant` names it. Report it: it is a defect of Instar."""

    code = "invariant"

    def __init__(self, invariant: str, *, why: str = "") -> None:
        super().__init__(
            f"Invariant broken: {invariant}",
            why=why,
            fix="This is a defect of Instar: please report it with the log around it.",
        )
        self.invariant = invariant
