"""``<state>/gateway.json``: where the running gateway answers, and the secret that opens it (CLI section, GW-9).

Written by a gateway when it answers and left behind when it stops, without the process id: the secret that was drawn
at the first start must stay the same, or every client would have to be told anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from instar.system.files import replace_file

__all__ = ["FILE_NAME", "RunningGateway", "read_running", "write_running"]

FILE_NAME = "gateway.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """What the file says. `url` is for WebSocket clients; `pid` None means that no gateway runs.

    One of `token` and `password` opens the gateway, whichever it asks for; the other is empty.
    """

    url: str
    token: str
    pid: int | None = None
    password: str = ""

    def __repr__(self) -> str:
        """Without the secret (LEAK-12)."""
        return f"RunningGateway(url={self.url!r}, pid={self.pid!r})"


def read_running(state_dir: Path) -> RunningGateway | None:
    """What the file says; None where there is none, or none that can be read."""
    try:
        raw = json.loads((state_dir / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(raw, dict):
        return None
    url, pid = raw.get("url"), raw.get("pid")
    token, password = raw.get("token"), raw.get("password")
    if not isinstance(token, str) and not isinstance(password, str):
        return None
    return RunningGateway(
        url=url if isinstance(url, str) else "",
        token=token if isinstance(token, str) else "",
        password=password if isinstance(password, str) else "",
        pid=pid if type(pid) is int else None,
    )


def write_running(state_dir: Path, running: RunningGateway) -> None:
    """Write the file, mode 0600, in one step."""
    secrets = {"token": running.token, "password": running.password}
    fields = {"url": running.url, **{name: value for name, value in secrets.items() if value}, "pid": running.pid}
    text = json.dumps(fields, indent=2)
    replace_file(state_dir / FILE_NAME, [text.encode(), b"\n"])
