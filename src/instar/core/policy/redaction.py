"""Which parts of a text are secrets, and the text without them (LEAK-12).

A secret is known in three ways: by value (configured keys and tokens), by the name of the field or assignment it
stands in (``apiKey``, ``password=``), and by shape (``sk-…``, ``Bearer …``, a private key). Whatever leaves the store
for a log, a decision, an export or a search excerpt passes here first.

What it cannot do: know a secret that has neither a telling name nor a telling shape nor a configured value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["MARK", "Redactor", "build_redactor"]

MARK = "[redacted]"
"""What stands where a secret stood."""

SHORTEST_VALUE = 6
"""Configured values below this many characters are left to their names: replacing every "1234" would garble text."""

SHORTEST_SHAPE = 12
"""No shape below is found in fewer characters."""

DEEPEST = 12
"""Values nested deeper than this are replaced as a whole; nothing the gateway logs is nearly as deep."""

_NAMES = (
    r"api[-_]?keys?|secret(?:s|[-_]?key)?|pass(?:word|wd|phrase)s?|authorization|cookies?|credentials?|private[-_]?key|"
    r"(?:access|refresh|auth|bearer|bot|app|hook|id|session|gateway|client)[-_]?(?:token|secret)s?|tokens?"
)

_NAME_STEMS = ("key", "secret", "pass", "auth", "cookie", "credential", "token")
"""One of these is in each of the names above."""

_SECRET_NAME = re.compile(rf"(?:.*[-_.])?(?:x[-_])?(?:{_NAMES})", re.IGNORECASE)
_SECRET_CAMEL_NAME = re.compile(r".*[a-z0-9](?:ApiKey|Secret|Password|Passphrase|Token|Authorization|PrivateKey)s?")

_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"  # PEM and PGP, also when the end was cut off
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|\bAIza[A-Za-z0-9_-]{35}"  # Google
    r"|\bya29\.[A-Za-z0-9_-]{20,}"  # Google, short-lived
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,})"  # GitHub, GitLab
    r"|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|\b[0-9]{8,12}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"  # Telegram bots
    r"|\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"  # Discord bots
    r"|\bsyt_[A-Za-z0-9_]{10,}"  # Matrix
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\bist_[A-Za-z0-9_-]{20,}"  # tokens of this gateway
    r"|\bnpm_[A-Za-z0-9]{36}|\bpypi-[A-Za-z0-9_-]{40,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+",  # JSON web tokens
    re.DOTALL,
)

# What follows is a secret although it has no shape of its own; group 1 stays.
_AFTER_WORD = re.compile(r"\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_IN_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,200}:)[^\s/@]{1,200}(?=@)", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?<![A-Za-z0-9])((?:[A-Za-z0-9]{{1,40}}[-_.]){{0,4}}(?:x[-_])?(?:{_NAMES})[\"']?\s{{0,3}}[=:]\s{{0,3}})"
    r"(?!\[redacted\])(?:\"[^\"\n]{1,2000}\"|'[^'\n]{1,2000}'|[^\s,;&\"'}\])]{4,2000})",
    re.IGNORECASE,
)

_COUNTED = frozenset({"tokens", "token_count", "max_tokens"})
"""Names that hold numbers of tokens, never a secret one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactor:
    """Knows what is secret here. `values` finds configured secrets, None if there are none."""

    values: re.Pattern[str] | None = None

    def text(self, text: str) -> str:
        """`text` with `MARK` wherever a secret stood."""
        if self.values is not None:
            text = self.values.sub(MARK, text)
        if len(text) >= SHORTEST_SHAPE:
            text = _SHAPES.sub(MARK, text)
        # Looking for a fixed word first keeps an ordinary line of the log at a few microseconds.
        lower = text.lower()
        if "bearer" in lower or "basic" in lower:
            text = _AFTER_WORD.sub(rf"\1{MARK}", text)
        if "://" in text:
            text = _IN_URL.sub(rf"\1{MARK}", text)
        if any(word in lower for word in _NAME_STEMS):
            text = _ASSIGNED.sub(rf"\1{MARK}", text)
        return text

    def finds_in(self, text: str) -> bool:
        """Whether there is a secret in `text`, or something that looks like one."""
        return self.text(text) != text

    def value(self, value: object, *, depth: int = 0) -> object:
        """`value` as something JSON can hold, without secrets; mappings and sequences are walked."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth >= DEEPEST:
            return MARK
        if isinstance(value, Mapping):
            return self.fields(value, depth=depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, depth=depth + 1) for each in value]
        return self.text(str(value))

    def fields(self, fields: Mapping[str, object], *, depth: int = 0) -> dict[str, object]:
        """`fields` without secrets, those included that only their names betray."""
        return {
            self.text(str(name)): MARK if _hides(str(name), each) else self.value(each, depth=depth)
            for name, each in fields.items()
        }


def build_redactor(secrets: Iterable[str] = ()) -> Redactor:
    """A redactor that also knows these values; longer ones are found first, too short ones are left out."""
    known = sorted({each for each in secrets if len(each) >= SHORTEST_VALUE}, key=lambda each: (-len(each), each))
    return Redactor(values=re.compile("|".join(map(re.escape, known))) if known else None)


def _hides(name: str, value: object) -> bool:
    """Whether a field of this name holds a secret. Empty values and numbers of tokens are none."""
    if value is None or isinstance(value, bool | int | float) or value == "" or name.lower() in _COUNTED:
        return False
    return bool(_SECRET_NAME.fullmatch(name) or _SECRET_CAMEL_NAME.fullmatch(name))
