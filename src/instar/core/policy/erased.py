"""What must not come back after an erasure, without saying what it is (LEAK-11).

Ids, session keys and session ids of whoever was erased are kept as hashes under a salt, so that an import or an old
backup can be told from news. Limit: whoever has the list and guesses an id can check the guess.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256

__all__ = ["hash_id", "hash_ids"]


def hash_id(text: str, *, salt: str) -> str:
    """The hash of an id, in hexadecimal; the case of letters does not count."""
    return hmac.new(salt.encode(), text.strip().lower().encode("utf-8", "surrogatepass"), sha256).hexdigest()


def hash_ids(texts: Iterable[str], *, salts: Iterable[str]) -> frozenset[str]:
    """The hashes of some ids under every salt in use."""
    known = [*salts]
    return frozenset(hash_id(text, salt=salt) for text in texts for salt in known)
