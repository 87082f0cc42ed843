"""What every test stands on: an emptied environment, a home of its own, and a list of what was not run.

A test that lacks something says so by name instead of vanishing: recorded data (the fixture `recorded_data`) or a
program (the marker `needs`). The list stands at the end of the run, above pytest's closing line. With ``--whole``,
which the build machine gives, only `MAY_BE_ABSENT` is forgiven.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
OURS_TO_CLEAR = re.compile(r"^(INSTAR|OPENCLAW|CLAWDBOT|MOLTBOT)_|_API_KEY$|_AUTH_TOKEN$")
FOR_THE_TESTS = frozenset({"INSTAR_DATA", "INSTAR_VECTORS"})
NOT_RUN = "not run: "
MAY_BE_ABSENT = ("not run: recorded data", "not run: docker")

# Properties are drawn from a fixed seed, so that a red run is red for everybody; `--hypothesis-profile=explore` looks
# further, with fresh draws. No deadline and no health check of speed: two shared cores stall as they like.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("fixed"), derandomize=False, max_examples=2000)
settings.load_profile("fixed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--whole``, ``--simulate``, ``--mutations`` and ``--fuzz``."""
    parser.addoption("--whole", action="store_true", help="fail when a test was not run, but for absent data or Docker")
    parser.addoption("--simulate", type=float, default=100.0, help="seconds of drawn stories, shared by all workers")
    parser.addoption("--mutations", action="store_true", help="let the simulation catch every mutation, not just some")
    parser.addoption("--fuzz", type=float, default=8.0, help="seconds that each fuzzer runs")


def pytest_configure(config: pytest.Config) -> None:
    """Empties the environment of whoever started the tests: no settings, no keys, no home, no local time.

    npm keeps the registry and the cache of the real home: what it fetches is checked against a lock file.
    """
    real_home = Path(os.environ.get("HOME") or "/nonexistent")
    for name in [name for name in os.environ if OURS_TO_CLEAR.search(name) and name not in FOR_THE_TESTS]:
        del os.environ[name]
    home = tempfile.mkdtemp(prefix="instar-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ.update({"HOME": home, "TZ": "UTC", "NO_PROXY": "127.0.0.1,localhost,::1"})
    os.environ.setdefault("npm_config_userconfig", str(real_home / ".npmrc"))
    os.environ.setdefault("npm_config_cache", str(real_home / ".npm"))
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    time.tzset()


@pytest.fixture(autouse=True)
def _environment_is_left_as_found() -> Iterator[None]:
    """A test that sets a variable and forgets it must not decide the next one."""
    before = dict(os.environ)
    yield
    changed = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    changed.discard("PYTEST_CURRENT_TEST")
    assert not changed, f"the test left the environment changed: {sorted(changed)}; use monkeypatch.setenv"


@pytest.fixture(scope="session")
def recorded_data() -> Callable[[str], Path]:
    """``recorded_data("transcripts/large-session.jsonl")``: its path below INSTAR_DATA or ./data; else "not run"."""
    folder = Path(os.environ.get("INSTAR_DATA") or ROOT / "data")

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{NOT_RUN}recorded data {name} is neither in INSTAR_DATA nor in ./data")
        return path

    return find


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves a test out, by name, whose ``needs("bwrap", package="bubblewrap")`` is not on this machine."""
    for marker in item.iter_markers("needs"):
        (program,) = marker.args
        if shutil.which(program) is None:
            package = marker.kwargs.get("package", program)
            pytest.skip(f"{NOT_RUN}{program} is missing (Debian package {package})")


def _not_run(config: pytest.Config) -> dict[str, list[str]]:
    """The tests that were skipped, by reason; empty in a worker, whose results the first process counts."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    found: dict[str, list[str]] = {}
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``--whole``, a test that was not run for another reason than `MAY_BE_ABSENT` fails the run."""
    if session.config.getoption("--whole") and not all(map(_is_forgiven, _not_run(session.config))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_forgiven(reason: str) -> bool:
    return reason.startswith(MAY_BE_ABSENT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names what was not run, and why."""
    found = _not_run(config)
    if not found:
        return
    terminalreporter.section("not run")
    for reason, tests in sorted(found.items()):
        blame = "" if _is_forgiven(reason) or not config.getoption("--whole") else "  <- must run with --whole"
        terminalreporter.write_line(f"{reason.removeprefix(NOT_RUN)}{blame}")
        for test in tests:
            terminalreporter.write_line(f"    {test}")
