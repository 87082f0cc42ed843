"""What an idle gateway has imported: each module that nobody asked for takes memory from the first minute on.

A process tells every import on standard error where ``PYTHONPROFILEIMPORTTIME`` is set.
"""

import pytest

from tests.builders.process import GatewayProcess, build_process_config

PAINT = {"pygments.lexers", "rich.console", "rich.pretty", "rich.traceback"}
"""Colours of tracebacks and of command lines, which libraries import where they are installed."""

LATER = {
    "anthropic",
    "cryptography",
    "google.genai",
    "instar.stores.openclaw",
    "instar.stores.transfer_import",
    "instar.stores.turn_over",
    "instar.testing",
    "prompt_toolkit",
}
"""What only another provider, a sealed store, another command or a test needs."""


def list_imports(gateway):
    lines = [line for line in gateway.errors.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The modules of a gateway with a provider that has answered a call and imported what the provider needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        config = build_process_config(model_url="http://127.0.0.1:9/v1")
        with GatewayProcess(tmp_path_factory.mktemp("gateway"), config) as gateway:
            gateway.call("sessions.list", limit=50)
            gateway.stop()  # it waits for the thread that imports
            return list_imports(gateway)


def test_an_idle_gateway_has_imported_what_it_works_with(imported):
    assert {"apsw", "openai", "structlog", "instar.gateway.gateway"} <= imported


def test_an_idle_gateway_has_imported_nothing_that_paints(imported):
    assert not PAINT & imported


def test_an_idle_gateway_has_imported_nothing_that_only_something_else_needs(imported):
    assert not LATER & imported
