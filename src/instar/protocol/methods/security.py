"""Methods about security (RPC-23)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, Method, flag

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
)
