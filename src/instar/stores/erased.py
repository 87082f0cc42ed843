"""What must not come back: the list of what was erased, in the store and in a file beside it (LEAK-11).

An import asks the store. A backup that is put back brings rows of before the erasure, so the list also lies in a file
of the state directory, where `instar backup restore` finds it from the folder of backups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from instar.core.model.ids import Instant
from instar.core.policy.erased import hash_ids
from instar.errors import StoreUnreadable
from instar.stores.rows import format_json
from instar.stores.transaction import Transaction
from instar.system.files import replace_file

__all__ = ["LIST_NAME", "Erased", "find_erased_at", "keep_away", "list_erased", "read_lists", "write_list"]

LIST_NAME: Final = "erased.json"
FORMAT: Final = "instar-erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Something that was erased, and when."""

    hash: str
    salt: str
    at: Instant


class _File(msgspec.Struct):
    """The list as a file."""

    format: str
    version: int
    erased: list[Erased]


def keep_away(tx: Transaction, erased: Iterable[Erased]) -> None:
    """Note what must not come back; what is noted already keeps the later moment."""
    tx.run_many("keep_away", [{"hash": one.hash, "salt": one.salt, "at": one.at} for one in erased])


def find_erased_at(tx: Transaction, ids: Iterable[str]) -> Instant | None:
    """When the last of some ids was erased, None if none was."""
    salts = [row[0] for row in tx.all("list_salts", {})]
    if not salts:
        return None
    row = tx.one("find_erased", {"hashes": format_json(sorted(hash_ids(ids, salts=salts)))})
    return row[0] if row is not None else None


def list_erased(tx: Transaction) -> list[Erased]:
    """Everything that must not come back."""
    return [Erased(hash=row[0], salt=row[1], at=row[2]) for row in tx.all("list_erased", {})]


def write_list(state_dir: Path, erased: Sequence[Erased]) -> None:
    """Keep the list in the state directory. Raises OSError."""
    text = format_json(_File(format=FORMAT, version=1, erased=[*erased]))
    replace_file(state_dir / LIST_NAME, [text.encode(), b"\n"])


def read_lists(folders: Iterable[Path]) -> list[Erased]:
    """The lists that lie in some folders. Raises `StoreUnreadable` for one that is damaged, OSError."""
    found: dict[tuple[str, str], Erased] = {}
    for path in dict.fromkeys(folder / LIST_NAME for folder in folders):
        if not path.is_file():
            continue
        try:
            told = msgspec.json.decode(path.read_bytes(), type=_File)
        except msgspec.DecodeError as error:
            raise StoreUnreadable(
                f"{path} cannot be read",
                why=str(error),
                fix="It says who must not come back: put a sound copy there, or move it away.",
            ) from error
        found.update({(one.hash, one.salt): one for one in told.erased})
    return [*found.values()]
