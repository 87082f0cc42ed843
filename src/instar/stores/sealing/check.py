"""What is wrong with the encryption of a store: keys that are missing, values that do not open (LOSS-10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from instar.config.config import Config
from instar.errors import InstarError, StoreError
from instar.stores.sealing.columns import SEALED
from instar.stores.sealing.open import load_seals
from instar.stores.sealing.seals import Seals, check_unsealed, read_state

if TYPE_CHECKING:
    import apsw

__all__ = ["SealProblem", "check_cells", "require_seals", "take_seals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealProblem:
    """One thing found. `is_closed` says that no word can be read, so nothing else can be looked at."""

    code: str
    what: str
    why: str = ""
    fix: str = ""
    count: int = 1
    severity: Literal["critical", "warning"] = "critical"
    is_closed: bool = False


def take_seals(connection: apsw.Connection, config: Config) -> tuple[Seals | None, SealProblem | None]:
    """The seals of a store, laid over a connection that reads it; with what is in the way, if anything is."""
    try:
        seals = load_seals(config, may_turn=True)
        if seals is None:
            check_unsealed(connection)
            return None, None
        state = seals.install(connection) if read_state(connection) != "off" else "off"
    except InstarError as error:
        return None, SealProblem(
            code="encryption-closed", what=error.what, why=error.why, fix=error.fix, is_closed=True
        )
    if state == "off":
        return None, _not_yet(config)
    if state == "on":
        return seals, None
    half = "on" if state == "sealing" else "off"
    return seals, SealProblem(
        code="encryption-half",
        severity="warning",
        what="The store holds both encrypted words and plain ones",
        why=f"`instar encryption {half}` was cut",
        fix=f"Stop the gateway and run `instar encryption {half}` again: it goes on where it was.",
    )


def _not_yet(config: Config) -> SealProblem | None:
    if not config.store.encryption.enabled:
        return None
    return SealProblem(
        code="encryption-not-yet",
        what="The words of this store are not encrypted, and the gateway will not start",
        why="session.encryption.enabled is set, and the store is older than that",
        fix="Run `instar encryption on`.",
    )


def check_cells(connection: apsw.Connection, seals: Seals) -> Iterator[SealProblem]:
    """Values that cannot be opened: the ring lacks the key, or the value is not what was sealed there."""
    lost: dict[str, int] = {}
    changed: dict[str, int] = {}
    for table, sealed in SEALED.items():
        for column in sealed.columns:
            named = ", ".join(f"{table}.{each}" for each in sealed.place)
            wrong = f"NOT instar_is_cell({column}, '{table}.{column}', {named})"
            if not seals.is_strict or column in sealed.codes:
                wrong = f"substr({column}, 1, 1) = char(2) AND {wrong}"
            query = f"SELECT {column} FROM main.{table} WHERE {column} NOT NULL AND {wrong}"  # noqa: S608 - ours
            for (value,) in connection.execute(query):
                counts = lost if seals.lacks_key(value) else changed
                counts[f"{table}.{column}"] = counts.get(f"{table}.{column}", 0) + 1
    if lost:
        yield SealProblem(
            code="key-lost",
            what=f"{sum(lost.values())} values are encrypted under keys that the key ring does not have",
            why=_tell(lost),
            fix="Put the newest copy of the key ring into the state directory: this one is older than the store.",
            count=sum(lost.values()),
        )
    if changed:
        yield SealProblem(
            code="cell-changed",
            what=f"{sum(changed.values())} encrypted values are not what was stored there",
            why=_tell(changed),
            fix="Somebody or something wrote into the database beside the gateway. Compare with the newest backup.",
            count=sum(changed.values()),
        )


def _tell(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} in {name}" for name, count in sorted(counts.items()))


def require_seals(connection: apsw.Connection, config: Config) -> Seals | None:
    """The seals of a store, laid over a connection. Raises `StoreError` for what is in the way."""
    seals, problem = take_seals(connection, config)
    if problem is not None and problem.is_closed:
        raise StoreError(problem.what, why=problem.why, fix=problem.fix)
    return seals
