"""The first request of a connection: what it must be, and what the gateway says of itself (GW-4…8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from instar.api.auth import Authority, Refused, authenticate
from instar.api.presence import ClientSelf, read_client
from instar.api.settings import ApiSettings, Limits
from instar.core.model.caller import Caller
from instar.core.model.ids import Instant, SessionKey
from instar.core.model.token import ShownToken
from instar.core.model.view import GatewayFacts
from instar.core.policy.scopes import ADMIN, grant_scopes, has_scope
from instar.errors import InvalidRequest
from instar.protocol.errors import ErrorShape, wire_error
from instar.protocol.events import EVENTS
from instar.protocol.frames import ATTACHMENT_MAX_BYTES, Request
from instar.protocol.methods import CONNECT, METHODS
from instar.protocol.params import Params, check_params
from instar.protocol.version import NEWEST, choose_protocol

__all__ = [
    "POLICY_VIOLATION",
    "Accepted",
    "Rejected",
    "build_hello",
    "decide_connect",
    "shown_secret",
]

POLICY_VIOLATION = 1008
PROTOCOL_ERROR = 1002
"""Close codes of RFC 6455, section 7.4.1; ours for who may not come in, and for who speaks another protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A client that is let in: as whom, in which protocol, with which capabilities.

    `device_token` is the text of a token that was made for its device just now, told this once.
    """

    caller: Caller
    protocol: int
    caps: frozenset[str]
    client: ClientSelf = field(default_factory=ClientSelf)
    device_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A client that is told why and closed with `close_code`."""

    error: ErrorShape
    close_code: int = POLICY_VIOLATION
    close_reason: str = "connect refused"
    auth_reason: str | None = None
    """Which secret was wrong and how (GW-8); None for what was refused for another reason."""
    is_guess: bool = False
    """It showed a secret, and a wrong one."""


def shown_secret(request: Request) -> str:
    """What a `connect` shows as ``auth.token``, before anything of it was checked; empty if there is none."""
    auth = (request.params or {}).get("auth")
    token = auth.get("token") if isinstance(auth, Mapping) else None
    return token if isinstance(token, str) else ""


def decide_connect(
    request: Request, settings: ApiSettings, shown: ShownToken | None = None, cookie: Authority | None = None
) -> Accepted | Rejected:
    """Whether the first request of a connection lets its client in. `shown` is the stored token that it shows.

    `cookie` is what a browser that is signed in may do; it counts where the request itself shows nothing (LEAK-9).
    """
    if request.method != "connect":
        return _rejected("invalid handshake: first request must be connect", reason="connect required")
    try:
        params = check_params("connect", CONNECT.fields, request.params or {})
    except InvalidRequest as error:
        return Rejected(error=wire_error(error), close_reason="invalid connect params")
    protocol = choose_protocol(lowest=params.whole("minProtocol", 0), highest=params.whole("maxProtocol", 0))
    if protocol is None:
        details = {"code": "PROTOCOL_MISMATCH", "expectedProtocol": NEWEST}
        error_shape = ErrorShape(code="INVALID_REQUEST", message="protocol mismatch", details=details)
        return Rejected(error=error_shape, close_code=PROTOCOL_ERROR, close_reason="protocol mismatch")
    role = params.text("role", "operator")
    if role != "operator":
        return _rejected(f"invalid connect params: at /role: role '{role}' is not served", reason="unknown role")
    return _admit(params, protocol, settings, shown=shown, cookie=cookie)


def _admit(
    params: Params, protocol: int, settings: ApiSettings, *, shown: ShownToken | None, cookie: Authority | None
) -> Accepted | Rejected:
    """The last question: do the credentials open this gateway?"""
    credentials = Params(params.record("auth"))
    token, password = credentials.maybe_text("token"), credentials.maybe_text("password")
    if cookie is not None and not token and not password:
        authority: Authority | Refused = cookie
    else:
        authority = authenticate(settings.auth, token=token, password=password, shown=shown)
    if isinstance(authority, Refused):
        shape = ErrorShape(code="INVALID_REQUEST", message=authority.message, details=authority.details)
        is_guess = authority.problem == "mismatch"
        return Rejected(
            error=shape, close_reason=authority.message[:120], is_guess=is_guess, auth_reason=authority.reason
        )
    asked = params.texts("scopes") if params.has("scopes") else None
    client = read_client(Params(params.record("client")))
    caller = Caller(
        scopes=grant_scopes(authority.scopes, asked=asked),
        principal=authority.principal,
        token_id=authority.token_id,
        expires_at=authority.expires_at,
        client=client.id,
    )
    return Accepted(caller=caller, protocol=protocol, caps=frozenset(params.texts("caps")), client=client)


def _rejected(message: str, *, reason: str) -> Rejected:
    return Rejected(error=ErrorShape(code="INVALID_REQUEST", message=message), close_reason=reason)


def build_hello(
    accepted: Accepted,
    facts: GatewayFacts,
    *,
    limits: Limits,
    auth_mode: str,
    connection_id: str,
    now: Instant,
    main_session_key: SessionKey,
    beacons: Mapping[str, object],
) -> dict[str, object]:
    """The answer to a good `connect` (GW-6). `main_session_key` is what ``main`` means to this client.

    `beacons` is what it is told of the gateway as a whole (`instar.api.beacons`).

    The owner is told the state directory, by which a command knows the gateway that it means from any other.
    """
    tells_state = bool(facts.state_dir) and has_scope(accepted.caller.scopes, ADMIN)
    return {
        "type": "hello-ok",
        "protocol": accepted.protocol,
        "server": {"version": facts.version, "connId": connection_id},
        "features": {"methods": list(METHODS), "events": list(EVENTS)},
        "snapshot": {
            **beacons,
            "health": {"ok": True, "ts": now, "defaultAgentId": facts.default_agent_id},
            "uptimeMs": max(0, now - facts.started_at),
            "sessionDefaults": {
                "defaultAgentId": facts.default_agent_id,
                "mainKey": facts.main_key,
                "mainSessionKey": main_session_key,
                "scope": facts.scope,
                "modelConfigured": facts.model is not None,
            },
            "authMode": auth_mode,
            **({"stateDir": facts.state_dir} if tells_state else {}),
        },
        "auth": _build_auth(accepted),
        "policy": {
            "maxPayload": limits.frame_max_bytes,
            "maxBufferedBytes": limits.send_buffer_max_bytes,
            "tickIntervalMs": int(limits.tick_interval_s * 1000),
            "attachments": {"maxBytes": ATTACHMENT_MAX_BYTES, "maxImageBytes": ATTACHMENT_MAX_BYTES},
        },
    }


def _build_auth(accepted: Accepted) -> dict[str, object]:
    auth: dict[str, object] = {"role": accepted.caller.role, "scopes": _sorted_scopes(accepted.caller.scopes)}
    return auth if accepted.device_token is None else {**auth, "deviceToken": accepted.device_token}


def _sorted_scopes(scopes: frozenset[str]) -> Sequence[str]:
    return sorted(scopes)
