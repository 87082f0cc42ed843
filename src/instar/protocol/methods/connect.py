"""The first request of every connection (GW-5)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import Method, ignored, text
from instar.protocol.params import Field

CONNECT: Final = Method(
    name="connect",
    scope="",
    summary="the first request of every connection",
    result="`hello-ok`",
    rule="GW-5",
    fields=(
        Field(name="minProtocol", kinds=("integer",), required=True, least=1),
        Field(name="maxProtocol", kinds=("integer",), required=True, least=1),
        Field(
            name="client",
            kinds=("object",),
            required=True,
            fields=tuple(
                text(name, required=name in {"id", "version", "platform", "mode"}, most=256)
                for name in (
                    "id",
                    "version",
                    "platform",
                    "mode",
                    "displayName",
                    "instanceId",
                    "buildId",
                    "deviceFamily",
                    "modelIdentifier",
                    "timeZone",
                )
            ),
            closed=True,
        ),
        text("role", most=64),
        Field(name="scopes", kinds=("array",), most=64, items=text("scope", most=128)),
        Field(name="caps", kinds=("array",), most=256, items=text("cap", most=128)),
        Field(
            name="auth",
            kinds=("object",),
            fields=(
                Field(name="token", most=4096),
                Field(name="password", most=4096),
                Field(name="deviceToken", most=4096, note="the token that was handed out to the device"),
                *ignored("bootstrapToken approvalRuntimeToken agentRuntimeIdentityToken"),
            ),
            closed=True,
        ),
        Field(
            name="device",
            kinds=("object",),
            fields=(
                text("id", required=True, most=256),
                text("publicKey", required=True, most=256),
                text("signature", required=True, most=256),
                Field(name="signedAt", kinds=("integer",), required=True, least=0),
                Field(name="nonce", most=256),
            ),
            closed=True,
        ),
        text("locale", most=64),
        text("userAgent", most=1024),
        *ignored("commands computerUse workerRuns permissions pathEnv"),
    ),
)
