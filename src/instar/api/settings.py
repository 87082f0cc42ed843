"""What the API has to know to listen and to tell callers apart; made by the composition root from the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from instar.protocol.frames import (
    CONNECTED_FRAME_MAX_BYTES,
    FIRST_FRAME_MAX_BYTES,
    SEND_BUFFER_MAX_BYTES,
    TICK_INTERVAL_S,
)

__all__ = ["DEFAULT_PORT", "ApiSettings", "AuthSettings", "Limits"]

DEFAULT_PORT: Final = 18789
"""GW-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """How clients prove who they are (GW-8): one shared secret of the kind that `mode` names."""

    mode: Literal["token", "password"] = "token"
    token: str | None = None
    password: str | None = None

    @property
    def secret(self) -> str | None:
        """The secret that is asked for; None when nobody configured one."""
        return self.token if self.mode == "token" else self.password

    def __repr__(self) -> str:
        """Without the secrets: settings end up in logs and tracebacks (LEAK-12)."""
        return f"AuthSettings(mode={self.mode!r}, secret={'set' if self.secret else 'missing'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of a connection (GW-4, GW-7). Bytes and seconds."""

    first_frame_max_bytes: int = FIRST_FRAME_MAX_BYTES
    frame_max_bytes: int = CONNECTED_FRAME_MAX_BYTES
    send_buffer_max_bytes: int = SEND_BUFFER_MAX_BYTES
    connect_timeout_s: float = 10.0
    tick_interval_s: float = TICK_INTERVAL_S
    requests_in_flight: int = 512
    """Of one connection; one more is refused, so that a client cannot fill the memory with waiting calls."""
    connections: int = 1024
    connections_each: int = 256
    """Of one token that is not the gateway's own secret: no caller uses up what is kept for all."""
    greetings: int = 128
    """Sockets that have not connected yet: strangers must not use up what is kept for clients."""
    greetings_each: int = 32
    """Of one address that is not this machine's own."""
    sends_per_minute: float = 600.0
    sends_burst: int = 120
    """Of one token that is not the gateway's own secret: what puts words before an agent may cost money."""
    inbound_per_minute: float = 60_000.0
    inbound_burst: int = 5_000
    """Of one bridge's token, which speaks for everybody on its channel."""
    presence_interval_s: float = 0.5
    """Who is connected is told at most so often."""
    health_interval_s: float = 60.0
    """How the gateway is is told at least so often; a change is told with the next tick."""
    delta_interval_s: float = 0.15
    """A run's text is told at most so often (RPC-36)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where to listen and whom to let in. `allowed_origins` are browser origins beside the gateway's own (GW-11)."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    auth: AuthSettings = field(default_factory=AuthSettings)
    allowed_origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
