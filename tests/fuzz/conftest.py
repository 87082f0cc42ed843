"""How long a fuzzer runs, and the gateway it runs against.

``make fuzz SECONDS=300`` lets each run for five minutes; the suite lets each run for a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.process import GatewayProcess, build_process_config

GROWTH_MAX_BYTES = 96 * 1024 * 1024
"""How much larger a gateway may be at the end than after the first requests: caches fill, and rows come."""


class Watched:
    """A gateway whose memory is watched."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self._began_bytes = self.memory_bytes()
        self.is_warm = False

    def memory_bytes(self) -> int:
        """What of its memory is in use."""
        status = Path(f"/proc/{self.gateway.pid}/status").read_text(encoding="utf-8")
        return 1024 * int(status.split("VmRSS:")[1].split()[0])

    def warm(self) -> None:
        """From now on growth counts."""
        self._began_bytes = self.memory_bytes()
        self.is_warm = True

    def check(self) -> int:
        """That it lives, has met no defect and has not grown beyond the bound; how much it has grown."""
        assert self.gateway.is_alive()
        log = (self.gateway.state_dir / "logs" / "gateway.log").read_text(encoding="utf-8")
        defects = [line for line in log.splitlines() if '"level":"error"' in line or "Traceback" in line]
        assert defects == [], defects[:3]
        assert "Traceback" not in self.gateway.errors, self.gateway.errors[-2000:]
        grown = self.memory_bytes() - self._began_bytes
        assert grown < GROWTH_MAX_BYTES, f"it grew by {grown // 1024 // 1024} MiB"
        return grown


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """How long one fuzzer runs."""
    return float(request.config.getoption("--fuzz"))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A gateway of its own."""
    with GatewayProcess(tmp_path, build_process_config()) as gateway:
        yield Watched(gateway)
