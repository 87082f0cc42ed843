"""Methods about security (RPC-23, AUDIT-1, LEAK-9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.api.signin import LINK_TTL_MS
from instar.core.policy.audit_facts import AuditFinding
from instar.errors import Unavailable

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


async def offer_link(call: Call) -> object:
    """`dashboard.link`."""
    if call.services.signins is None:
        raise Unavailable("Nobody serves pages here", fix="Start the gateway with `instar gateway`.")
    code = call.services.signins.offer(call.caller)
    return {"path": f"/signin?code={code}", "expiresInMs": LINK_TTL_MS}


HANDLERS: Final[Mapping[str, Handler]] = {"security.audit": audit, "dashboard.link": offer_link}
