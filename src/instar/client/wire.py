"""What a client says first, and what it makes of an answer: shared by both clients, pure."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from instar import __version__
from instar.client.discovery import GatewayAddress, is_alive
from instar.errors import Forbidden, GatewayUnreachable, InstarError, InvalidRequest, Unavailable

__all__ = [
    "PROTOCOL",
    "Payload",
    "build_connect",
    "build_request",
    "find_other",
    "parse_frame",
    "parse_refusal",
    "unreachable",
]

PROTOCOL: Final = 4
"""The version this client speaks (GW-5)."""

Payload = Mapping[str, Any]
"""A JSON object. Any: what is in it is described per method in `docs/reference/protocol.md`."""


def build_connect(address: GatewayAddress, *, client_id: str, mode: str, caps: tuple[str, ...]) -> dict[str, object]:
    """The params of ``connect`` (GW-5)."""
    auth = {"token": address.token, "password": address.password}
    return {
        "minProtocol": PROTOCOL,
        "maxProtocol": PROTOCOL,
        "client": {"id": client_id, "version": __version__, "platform": sys.platform, "mode": mode},
        "role": "operator",
        "caps": list(caps),
        "auth": {name: secret for name, secret in auth.items() if secret},
    }


def build_request(request_id: str, method: str, params: Mapping[str, object] | None) -> str:
    """A request frame as text (GW-2). Raises `InvalidRequest` for what no gateway could read."""
    frame = {"type": "req", "id": request_id, "method": method, "params": dict(params or {})}
    try:
        text = json.dumps(frame, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        why, fix = "a text in it is not Unicode", "Give words, names and files in UTF-8."
        raise InvalidRequest("The request cannot be sent", why=why, fix=fix) from None
    except ValueError:
        why, fix = "a number in it is too large for JSON", "Write a smaller one."
        raise InvalidRequest("The request cannot be sent", why=why, fix=fix) from None
    return text


def parse_frame(text: str | bytes) -> Payload:
    """A frame of the gateway. Raises `Unavailable` for what is none."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise Unavailable("What answers there is no gateway", why="it sent what is no frame", fix="Check the address.")
    return frame


def parse_refusal(error: Payload) -> InstarError:
    """The error of a response as one of `instar.errors`.

    A secret that is missing or wrong becomes `Forbidden`, whatever code the wire gives it: the person has to do
    something else than mend a request.
    """
    details = error.get("details")
    code = str(details.get("code", "")) if isinstance(details, Mapping) else ""
    message = str(error.get("message", "the gateway gave no reason"))
    if code.startswith("AUTH_"):
        return Forbidden(
            "The gateway does not let this client in",
            why=message,
            fix="Give the secret with --token or --password, or set gateway.auth in the configuration.",
        )
    if code == "PROTOCOL_MISMATCH":
        return Unavailable(
            "The gateway speaks another protocol", why=message, fix="Bring both to the same version of Instar."
        )
    from instar.protocol.errors import ErrorShape, parse_wire_error

    retry_after = error.get("retryAfterMs")
    shape = ErrorShape(
        code=str(error.get("code", "")),
        message=message,
        details=details,
        retry_after_ms=retry_after if isinstance(retry_after, int) else None,
    )
    return parse_wire_error(shape)


def find_other(address: GatewayAddress, hello: Payload) -> GatewayUnreachable | None:
    """The error for a gateway that works in another state directory than the one that is meant; None for the right one.

    Only owners are told the directory; where it is not told, or any will do, every gateway is the right one.
    """
    theirs = hello.get("snapshot", {}).get("stateDir")
    if address.state_dir is None or not isinstance(theirs, str):
        return None
    if Path(theirs).resolve() == address.state_dir.resolve():
        return None
    return GatewayUnreachable(
        f"The gateway at {address.url} is not the one of {address.state_dir}",
        why=f"it works in {theirs}",
        fix="Start one there on a port of its own, or name that directory (INSTAR_STATE_DIR) or that gateway (--url).",
    )


def unreachable(addresses: tuple[GatewayAddress, ...], why: str) -> GatewayUnreachable:
    """The error for a gateway that does not answer: where it was looked for, and how to start one."""
    places = " or ".join(address.url for address in addresses)
    gone = next((one.pid for one in addresses if one.pid is not None and not is_alive(one.pid)), None)
    reason = why if gone is None else f"{why}, and the process {gone} that ran there has ended"
    return GatewayUnreachable(
        f"No gateway answers at {places}", why=reason, fix="Start one with `instar gateway`, or name one with --url."
    )
