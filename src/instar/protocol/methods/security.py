"""Methods about security: the audit, and how a browser comes in (RPC-23, LEAK-9)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, READ, Method, flag

__all__ = ["SECURITY"]

SECURITY: Final = (
    Method(
        name="security.audit",
        scope=ADMIN,
        summary="what is risky about configuration, files and store, each with a remedy; nothing is changed",
        result="`{ts, summary: {critical, warn, info}, findings: [{checkId, severity, title, detail, remediation?}], "
        "suppressed: {count, checkIds}}`",
        rule="RPC-23, AUDIT-1, LEAK-7",
        fields=(flag("deep", note="also read the whole store for people whose direct messages met"),),
    ),
    Method(
        name="dashboard.link",
        scope=READ,
        summary="a link that signs one browser in, once and within a minute, with what the caller may",
        result="`{path, expiresInMs}`; `path` follows the address by which the gateway is reached",
        rule="LEAK-9",
        side_effect=True,
    ),
)
