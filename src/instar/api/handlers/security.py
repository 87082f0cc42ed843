"""Methods about security (RPC-23, AUDIT-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.core.policy.audit_facts import AuditFinding

__all__ = ["HANDLERS"]


async def audit(call: Call) -> object:
    """`security.audit`."""
    report = await call.services.auditor.audit(is_deep=call.params.flag("deep"))
    return {
        "ts": call.services.clock.now(),
        "summary": report.summary,
        "findings": [_finding(one) for one in report.findings],
        "suppressed": {"count": sum(report.suppressed.values()), "checkIds": report.suppressed},
    }


def _finding(one: AuditFinding) -> dict[str, object]:
    fields: dict[str, object] = {
        "checkId": one.check_id,
        "severity": one.severity,
        "title": one.title,
        "detail": one.detail,
    }
    return {**fields, "remediation": one.remediation} if one.remediation else fields


HANDLERS: Final[Mapping[str, Handler]] = {"security.audit": audit}
