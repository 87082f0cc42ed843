"""Hostile HTTP, drawn by schemathesis from the description of the doors: no 500, no answer that is not described."""

from __future__ import annotations

import contextlib
import random
import time
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from instar.channels.bridge.openapi import build_openapi
from tests.builders.process import TOKEN
from tests.fuzz.conftest import Watched

PREFIX = "/channels/telegram"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TEXT = {"schema": {"type": "string"}}
ROUND = 25
"""Requests to one door before the next one has its turn."""


def describe_all() -> dict[str, Any]:
    """The doors of a bridge, and the pages."""
    document: dict[str, Any] = build_openapi()
    answers = {"200": {"description": "", "content": {}}, "default": {"description": ""}}
    code = {"name": "code", "in": "query", **TEXT}
    header = {"name": "X-Anything", "in": "header", **TEXT}
    pages: dict[str, Any] = {
        "/": {"get": {"responses": answers, "parameters": [header]}},
        "/healthz": {"get": {"responses": answers, "parameters": [header]}},
        "/control-ui-config.json": {"get": {"responses": answers}},
        "/signin": {"get": {"responses": answers, "parameters": [code, {"name": "Cookie", "in": "header", **TEXT}]}},
        "/signout": {"post": {"responses": answers, "parameters": [{"name": "Origin", "in": "header", **TEXT}]}},
        "/{anything}": {
            "get": {"responses": answers, "parameters": [{"name": "anything", "in": "path", "required": True, **TEXT}]}
        },
    }
    document["paths"] = {f"{PREFIX}{path}": door for path, door in document["paths"].items()} | pages
    document.pop("servers")
    document.pop("security")
    return document


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_no_request_breaks_a_door(watched: Watched, fuzz_seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    schema = schemathesis.openapi.from_dict(describe_all())
    operations = [result.ok() for result in schema.get_all_operations()]
    chance = random.Random(20261120)
    began, sent, statuses = time.monotonic(), 0, dict[int, int]()

    def ask(case: Case) -> None:
        nonlocal sent
        if case.path.startswith("/channels/") and case.query and "wait" in case.query:
            case.query["wait"] = 0  # a fuzzer that waits sends nothing
        headers = {"Authorization": f"Bearer {TOKEN}"} if chance.random() < 0.97 else {}
        response = case.call(base_url=watched.gateway.url, headers=headers, timeout=60)
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        sent += 1
        case.validate_response(response, checks=CHECKS)

    def is_over() -> bool:
        # On a slow machine the time may be over before anything was answered well, or refused.
        return time.monotonic() - began >= fuzz_seconds and {200, 400} <= statuses.keys()

    while not is_over():
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                run = settings(
                    max_examples=ROUND,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    derandomize=False,
                    suppress_health_check=list(HealthCheck),
                )(given(case=operation.as_strategy(generation_mode=mode))(ask))
                with contextlib.suppress(Unsatisfiable):  # a door without fields cannot be asked wrongly
                    seed(chance.getrandbits(64))(run)()
                if is_over():
                    break
        if sent and not watched.is_warm:
            watched.warm()
    grown = watched.check()
    with capsys.disabled():
        print(f"\n{sent} requests, answers {dict(sorted(statuses.items()))}, grown by {grown // 1024} KiB")  # noqa: T201
