"""Decisions against tables of cases: every rule that has an input and an answer is a line in a JSON file.

`vectors/<stem>.json` holds the cases that were given with the rules, `own/<stem>.json` those of this project, and
`ops_<stem>.py` beside this file says which decision each of their ops asks. Another folder of files of the same
schema is read in place of both when the environment names one in `INSTAR_VECTORS`. A file or an op that nobody
answers yet is a failing test with its name, never a silent gap.

A case asks about the fields that its `expect` names, and at least about one: COMPACT-008 names `compact` alone,
since where nothing is cut no other field means anything.

An ops module exposes `OPS: dict[str, Callable[[dict], object]]`, from op name ("" where cases have none) to a
function of the case's `input` that returns what `expect` holds. It may expose `NORMALISE`, a function that is laid
over both sides first, for answers whose order means nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import ndiff
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent
OTHER = os.environ.get("INSTAR_VECTORS")
FOLDERS = (Path(OTHER),) if OTHER else (HERE / "vectors", HERE / "own")

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of a vector file. `fault` says why it cannot be asked at all; None when it can."""

    stem: str
    id: str
    body: Json
    fault: str | None = None

    @property
    def op(self) -> str:
        return str(self.body.get("op") or "")


def find_cases(folder: Path) -> Iterator[Case]:
    """Every case of every file of the folder, in the order of the files; what cannot be read comes as a fault."""
    files = sorted(folder.glob("*.json"))
    if not files:
        yield Case(stem=folder.name, id="no-files", body={}, fault=f"{folder} holds no *.json file")
    for file in files:
        try:
            cases = [dict(body) for body in json.loads(file.read_text(encoding="utf-8-sig"))["cases"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            fault = f"{file} is no vector file ({type(error).__name__}: {error}); it needs {{about, cases: [...]}}"
            yield Case(stem=file.stem, id="unreadable", body={}, fault=fault)
            continue
        for place, body in enumerate(cases):
            yield Case(stem=file.stem, id=str(body.get("id", place)), body=body)


@cache
def load_ops(stem: str) -> ModuleType | None:
    """The module that answers a file, None when there is none."""
    path = HERE / f"ops_{stem}.py"
    if not path.is_file():
        return None
    name = f"conformance_ops_{stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses defined there look themselves up by name
    spec.loader.exec_module(module)
    return module


def ask(case: Case) -> tuple[object, object]:
    """What the case expects and what the code answers to it, both normalised."""
    if case.fault is not None:
        pytest.fail(case.fault, pytrace=False)
    module = load_ops(case.stem)
    if module is None:
        pytest.fail(f"{case.stem}.json: no decision answers this file yet (no ops_{case.stem}.py)", pytrace=False)
    op: Callable[[Json], object] | None = module.OPS.get(case.op)
    if op is None:
        known = ", ".join(repr(name) for name in sorted(module.OPS))
        pytest.fail(f"{case.stem}.json: op {case.op!r} of {case.id} is not known (known: {known})", pytrace=False)
    for name in ("input", "expect"):
        if not isinstance(case.body.get(name), Mapping):
            pytest.fail(f"{case.stem}.json: {case.id} has no object under {name!r}", pytrace=False)
    if not case.body["expect"]:
        pytest.fail(f"{case.stem}.json: {case.id} expects nothing, so any answer would do", pytrace=False)
    normalise: Callable[[object], object] = getattr(module, "NORMALISE", lambda value: value)
    expected, answered = normalise(case.body["expect"]), normalise(op(case.body["input"]))
    if isinstance(expected, Mapping) and isinstance(answered, Mapping):
        answered = {name: value for name, value in answered.items() if name in expected}
    return expected, answered


def draw(value: object) -> list[str]:
    """A value as sorted, indented JSON lines, so that a difference shows as a line."""
    return json.dumps(value, indent=2, sort_keys=True, default=repr, ensure_ascii=False).splitlines()


def describe(case: Case, *, expected: object, answered: object) -> str:
    """Why a case failed: its note, its input, and the two answers line by line."""
    title = f"{case.stem}.json {case.id} {case.op}".rstrip()
    difference = "\n".join(ndiff(draw(expected), draw(answered)))
    asked = "\n".join(draw(case.body["input"]))
    return f"{title}: {case.body.get('note', '')}\ninput:\n{asked}\nexpected (-) and answered (+):\n{difference}"


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.stem}-{case.id}") for folder in FOLDERS for case in find_cases(folder)]
)
def test_the_decision_is_the_expected_one(case: Case) -> None:
    expected, answered = ask(case)
    if expected != answered:
        pytest.fail(describe(case, expected=expected, answered=answered), pytrace=False)
