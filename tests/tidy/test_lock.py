"""The lock file is what pyproject.toml asks for, with hashes, and names no place that it came from."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.builders.tree import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE)}


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build = project["build-system"]["requires"]
    return [
        Requirement(text) for text in project["project"]["dependencies"] + project["dependency-groups"]["dev"] + build
    ]


def test_everything_that_is_asked_for_is_locked():
    unmet = [str(need) for need in wanted() if PINS.get(canonicalize_name(need.name), "0") not in need.specifier]
    assert not unmet, "run `make lock`"


def test_every_dependency_is_bounded():
    """By the next major version; a version that is a date has none."""
    unbounded = [need.name for need in wanted() if not any(part.operator in {"<", "=="} for part in need.specifier)]
    assert unbounded == ["tzdata"]


def test_every_pin_has_its_hashes():
    blocks = [block for block in re.split(r"\n(?=[\w.-]+==)", LOCK) if not block.startswith("#")]
    assert len(blocks) == len(PINS) > 50
    assert not [block.split()[0] for block in blocks if "--hash=sha256:" not in block]


def test_no_place_is_named():
    assert "://" not in LOCK
    assert not re.search(r"^\s*(--(?!hash)|-[a-z])", LOCK, re.MULTILINE)
