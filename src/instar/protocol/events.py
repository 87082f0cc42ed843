"""Every event of the wire: one table (RPC-38). What an event holds is built in `instar.api.render`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["CHALLENGE", "EVENTS", "EventKind"]

CHALLENGE: Final = "connect.challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind of event: when it is sent, to whom, and what its payload holds."""

    name: str
    summary: str
    audience: str
    payload: str
    rule: str


_ALL: Final = (
    EventKind(
        name=CHALLENGE,
        summary="the first words of the gateway on every connection",
        audience="the new connection",
        payload="`{nonce, ts}`",
        rule="GW-4",
    ),
    EventKind(
        name="agent",
        summary="progress of a run: `lifecycle` (phase start, end, error), `assistant` (text, delta), `tool`, "
        "`run_status`, `notice` (text: a line for people, such as that another model answers)",
        audience="every connection that may read and see the session; stream `tool` only with capability `tool-events`",
        payload="`{runId, sessionKey, agentId, stream, data, seq, ts}`",
        rule="RPC-38",
    ),
    EventKind(
        name="chat",
        summary="the answer of a run: at most every 150 ms a `delta` with all of the text so far, then one `final`, "
        "`aborted` or `error`; in protocol 4 also `status` with a phase",
        audience="every connection that may read and see the session",
        payload="`{runId, sessionKey, agentId, seq, state, message?, deltaText?, replace?, phase?, errorMessage?, "
        "usage?, stopReason?}`",
        rule="RPC-36",
    ),
    EventKind(
        name="session.message",
        summary="a message was stored",
        audience="connections that asked by `sessions.subscribe` or `sessions.messages.subscribe` and may see it",
        payload="`{sessionKey, sessionId, agentId, message, messageId, messageSeq}`",
        rule="RPC-38",
    ),
    EventKind(
        name="sessions.changed",
        summary="the row of a session changed, or the session was deleted",
        audience="connections that asked by `sessions.subscribe`, where they may see it",
        payload="`{sessionKey, agentId, reason, ts, runId?, session?}` and the fields of the row",
        rule="RPC-38",
    ),
    EventKind(
        name="device.pair.requested",
        summary="a device on another machine waits for the owner's word",
        audience="every connection that may administer",
        payload="`{requestId, deviceId, publicKey, displayName?, platform?, clientId?, clientMode?, remoteIp?, role, "
        "roles, scopes, ts}`",
        rule="LEAK-3",
    ),
    EventKind(
        name="device.pair.resolved",
        summary="the owner said a word about a device that waited",
        audience="every connection that may administer",
        payload="`{requestId, deviceId, decision: approved|rejected, ts}`",
        rule="LEAK-3",
    ),
    EventKind(
        name="pairing.requested",
        summary="a stranger was told a pairing code that waits for the owner's word",
        audience="every connection that may administer",
        payload="`{code, channel, accountId, chatType, peerId, name, sessionKey, createdAt, toldAt, expiresAt}`",
        rule="LEAK-2",
    ),
    EventKind(
        name="pairing.resolved",
        summary="the owner said a word about a person or group",
        audience="every connection that may administer",
        payload="`{decision: approved|rejected|revoked, channel, accountId, chatType, peerId, code?, ts}`",
        rule="LEAK-2",
    ),
    EventKind(
        name="presence",
        summary="a client connected or left; programs that ask one thing and go (mode `cli`, `probe`) are not told of",
        audience="connections of the gateway's owner that may read; the frame carries `stateVersion`",
        payload="`{presence: [{host, version, platform, mode, instanceId, user?, roles, scopes, reason, text, ts}]}`, "
        "the gateway itself first",
        rule="RPC-38",
    ),
    EventKind(
        name="health",
        summary="how the gateway is: every minute, and with the next tick when a channel or an agent has changed",
        audience="connections of the gateway's owner that may read; the frame carries `stateVersion`",
        payload="as the answer of `health`; `{ok: false, ts, error}` while it cannot be told",
        rule="RPC-38",
    ),
    EventKind(
        name="tick",
        summary="the gateway lives; every 30 s",
        audience="every connection",
        payload="`{ts}`",
        rule="GW-7",
    ),
    EventKind(
        name="shutdown",
        summary="the gateway is about to stop",
        audience="every connection",
        payload="`{reason, restartExpectedMs?}`",
        rule="GW-15",
    ),
)

EVENTS: Final[Mapping[str, EventKind]] = {kind.name: kind for kind in _ALL}
"""Every kind of event by name."""
