"""What was noticed about a configuration that can still be used: a value with a place, a reason and a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Severity"]

Severity = Literal["critical", "warning", "note"]
"""`critical`: settings that are never meant together, refused by `config set` and a reload (WHY-5). `warning`: likely
a mistake. `note`: worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing noticed. `path` is the setting; `line` and `column` count from 1, None where the place is unknown."""

    code: str
    severity: Severity
    path: str
    what: str
    why: str = ""
    fix: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """The place in front, as compilers write it: ``file:line:column: path: what: why. fix``."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in {"", None})
        text = f"{self.what}: {self.why}." if self.why else f"{self.what}."
        return ": ".join(part for part in (place, self.path, f"{text} {self.fix}".strip()) if part)
