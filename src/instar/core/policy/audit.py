"""The security audit: facts in, findings out, the gravest first (AUDIT-1, AUDIT-34).

It judges; it never looks and never changes anything. Each finding names its check, says what is so and why that
matters, and ends with what a person can paste. `audit_channels` asks who may read whose words, `audit_host` what the
machine gives away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from instar.core.policy.audit_channels import find_people_risks
from instar.core.policy.audit_facts import AuditFacts, AuditFinding, Severity
from instar.core.policy.audit_host import find_host_risks

__all__ = ["AuditReport", "audit"]

_ORDER: Final[tuple[Severity, ...]] = ("critical", "warn", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What was found, the gravest first, and how many findings of each check the owner has suppressed."""

    findings: tuple[AuditFinding, ...]
    suppressed: dict[str, int]

    @property
    def summary(self) -> dict[str, int]:
        """How many findings of each severity."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in _ORDER}


def audit(facts: AuditFacts) -> AuditReport:
    """Everything risky about these facts, without what the owner has suppressed by its checkId."""
    found = [*find_people_risks(facts), *find_host_risks(facts)]
    shown = [finding for finding in found if finding.check_id not in facts.suppressed]
    hidden = Counter(finding.check_id for finding in found if finding.check_id in facts.suppressed)
    return AuditReport(
        findings=tuple(sorted(shown, key=lambda finding: _ORDER.index(finding.severity))),
        suppressed=dict(sorted(hidden.items())),
    )
