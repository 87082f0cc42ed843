"""Which schema a database has, whether this build may use it, and the steps that bring it up to date.

Two numbers guard a database. `schema_version` is the newest step that was run on it. `oldest_build` is the oldest
build that can still use it, a build being named by the newest step it knows. So a step that only adds leaves
`oldest_build` alone and an older gateway goes on beside a newer one; a step that takes away raises it.

A step is a file ``NNNN_what.pre.sql`` or ``NNNN_what.post.sql``. `pre` steps add and run before the new build is
everywhere; `post` steps take away what no running build needs any more. The first line of each says the oldest build
that can use the database after it: ``-- oldest build: 3``. Each step runs in one transaction with its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from instar.errors import StoreTooNew
from instar.stores.transaction import Dialect

__all__ = ["SchemaState", "Step", "load_steps", "plan_steps"]

_NAME = re.compile(r"(\d{4})_(\w+)\.(pre|post)\.sql")
_OLDEST = re.compile(r"-- oldest build: (\d+)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of the schema. `number` is the schema version it leads to."""

    number: int
    name: str
    phase: Literal["pre", "post"]
    oldest_build: int
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """The two numbers of a database; both are 0 for an empty one."""

    schema_version: int = 0
    oldest_build: int = 0


def load_steps(dialect: Dialect) -> tuple[Step, ...]:
    """Every step of an engine, in order. Raises ValueError for a misnamed file or a gap."""
    folder = resources.files("instar.stores").joinpath("migrations", dialect)
    steps = sorted((_read_step(file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir()), key=_number)
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        msg = "migration steps are numbered from 1 without gaps"
        raise ValueError(msg)
    return tuple(steps)


def plan_steps(state: SchemaState, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that a database still needs, in order. Raises `StoreTooNew` when this build may not use it."""
    build = len(steps)
    if state.oldest_build > build:
        raise StoreTooNew(
            "Cannot open the session store",
            why=f"its schema is {state.schema_version}, which needs build {state.oldest_build} or newer, "
            f"and this build reads up to {build}",
            fix="Start the newer build, or restore the backup taken before the upgrade.",
        )
    return tuple(steps[state.schema_version :])


def _number(step: Step) -> int:
    return step.number


def _read_step(file_name: str, text: str) -> Step:
    name, oldest = _NAME.fullmatch(file_name), _OLDEST.match(text)
    if name is None or oldest is None:
        msg = f"{file_name} is not named NNNN_what.pre.sql, or does not begin with '-- oldest build: N'"
        raise ValueError(msg)
    phase: Literal["pre", "post"] = "pre" if name[3] == "pre" else "post"
    return Step(number=int(name[1]), name=name[2], phase=phase, oldest_build=int(oldest[1]), sql=text)
