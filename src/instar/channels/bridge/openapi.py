"""The three routes of a bridge as an OpenAPI document, built from the fields that are checked.

``python -m instar.channels.bridge.openapi`` prints what `docs/reference/bridge.openapi.json` holds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from instar import __version__
from instar.channels.bridge.parse import INBOUND, MEMBERS, RECEIPT
from instar.protocol.json_schema import build_object_schema
from instar.protocol.params import Field

__all__ = ["build_openapi"]

_ERROR: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "field": {"type": "string"}},
    "required": ["error"],
}
_ACCEPTED: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {
        "inboundId": {"type": "string"},
        "status": {"type": "string", "enum": ["accepted", "observed", "refused"]},
        "reason": {"type": "string"},
        "hint": {"type": "string"},
    },
    "required": ["inboundId", "status"],
}
_OWED: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {"messages": {"type": "array", "items": {"type": "object"}}},
    "required": ["messages"],
}
_OK: Final[Mapping[str, object]] = {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]}

_REFUSALS: Final = {
    "400": "The request makes no sense; `field` names what.",
    "401": "The bearer token is missing or wrong.",
    "408": "The body did not come in time.",
    "413": "The body is too long.",
    "429": "Too many messages or wrong tokens; `Retry-After` says when to come back.",
    "503": "Nothing was stored; `Retry-After` says when to repeat.",
}


def build_openapi() -> dict[str, object]:
    """The document, OpenAPI 3.1."""
    number = {"type": "number", "minimum": 0}
    query = [
        {"name": "wait", "in": "query", "schema": number, "description": "seconds to wait for a reply, at most 60"},
        {"name": "max", "in": "query", "schema": {"type": "number", "minimum": 1}, "description": "at most 100"},
    ]
    delivery = {"name": "deliveryId", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Instar bridge", "version": __version__},
        "servers": [{"url": "http://127.0.0.1:18789/channels/{name}", "variables": {"name": {"default": "bridge"}}}],
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/inbound": {"post": _operation("Post what a person wrote.", _ACCEPTED, body=INBOUND)},
            "/members": {"post": _operation("Say who is in a group now.", _OK, body=MEMBERS)},
            "/outbound": {"get": {**_operation("Fetch replies that have no receipt yet.", _OWED), "parameters": query}},
            "/outbound/{deliveryId}/receipt": {
                "post": {
                    **_operation("Say what became of a reply.", _OK, body=RECEIPT, more={"404": "No such reply."}),
                    "parameters": [delivery],
                }
            },
        },
    }


def _operation(
    summary: str,
    answer: Mapping[str, object],
    *,
    body: Sequence[Field] = (),
    more: dict[str, str] | None = None,
) -> dict[str, object]:
    refusals = {**_REFUSALS, **(more or {})}
    operation: dict[str, object] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": _json(answer)},
            **{code: {"description": text, "content": _json(_ERROR)} for code, text in sorted(refusals.items())},
        },
    }
    if body:
        operation["requestBody"] = {"required": True, "content": _json(build_object_schema(body))}
    return operation


def _json(schema: Mapping[str, object]) -> dict[str, object]:
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build_openapi(), indent=2) + "\n")
