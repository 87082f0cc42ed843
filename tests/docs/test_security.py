"""The page about security names tests that exist, and what it says of stored objects holds."""

from __future__ import annotations

import ast
import re

import pytest

from instar.api.idempotency import KEPT
from instar.api.patience import HEAD_MAX_BYTES, HEAD_WAIT_S
from instar.api.settings import Limits
from instar.api.signin import LINKS, SIGN_INS
from instar.core.policy.access import PAIRING_MAX_WAITING
from instar.core.policy.devices import DEVICES_WAITING_MAX
from instar.core.policy.rate import BackoffSettings
from instar.gateway.pairing import WRONG_CODES
from instar.protocol.frames import ATTACHMENT_MAX_BYTES, MESSAGE_TEXT_MAX_BYTES
from tests.builders.tree import ROOT, read_modules

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)

REVIVERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}
RUNNERS = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_every_class_of_holes_has_a_test_or_says_why_not() -> None:
    table = PAGE.split("## Known holes")[1].split("## Reporting")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) >= 12
    assert [row for row in rows if "`tests/" not in row and not row.endswith("| none yet |")] == []


def test_nothing_that_was_stored_is_run() -> None:
    found = []
    for path, tree in read_modules():
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    found += [f"{path}: {one.name}" for one in names if one.name.split(".")[0] in REVIVERS]
                case ast.ImportFrom(module=str() as name) if name.split(".")[0] in REVIVERS:
                    found.append(f"{path}: {name}")
                case ast.Call(func=ast.Name(id=name)) if name in RUNNERS:
                    found.append(f"{path}: {name}()")
                case _:
                    pass
    assert found == []


def test_the_limits_that_the_page_tells_are_those_that_hold() -> None:
    limits, wrong = Limits(), BackoffSettings()
    held = [
        [wrong.free, wrong.first_wait_s, wrong.max_wait_s, wrong.forget_after_s],
        [WRONG_CODES.free, WRONG_CODES.first_wait_s, WRONG_CODES.max_wait_s, WRONG_CODES.forget_after_s],
        [PAIRING_MAX_WAITING],
        [DEVICES_WAITING_MAX],
        [limits.sends_per_minute, limits.sends_burst],
        [limits.inbound_per_minute, limits.inbound_burst],
        [limits.connections_each, limits.connections],
        [limits.greetings_each, limits.greetings, limits.connect_timeout_s],
        [limits.requests_in_flight],
        [KEPT.each, KEPT.all],
        [LINKS.each, LINKS.all, SIGN_INS.each, SIGN_INS.all],
        [limits.first_frame_max_bytes, limits.frame_max_bytes, limits.send_buffer_max_bytes],
        [HEAD_MAX_BYTES, HEAD_WAIT_S],
        [MESSAGE_TEXT_MAX_BYTES, ATTACHMENT_MAX_BYTES],
    ]
    table = PAGE.split("| what | limit |")[1].split("## Secrets")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    assert [[int(number) for number in re.findall(r"\d+", row)] for row in rows] == held
