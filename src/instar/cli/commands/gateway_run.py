"""`instar gateway run`: start a gateway and stay until it is stopped (CLI-13)."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Final

import click

from instar.cli.options import Whole, config_option
from instar.cli.terminal import warn
from instar.client.blocking import BlockingClient
from instar.client.discovery import Named, find_addresses, is_alive
from instar.errors import InstarError, StoreLocked
from instar.system.absent import absent
from instar.system.bare import read_monotonic, wait

__all__ = ["command", "stop_running"]

STOP_S: Final = 20.0
"""How long a gateway that is asked to stop may take: it lets running turns end for ten seconds."""


@click.command("run")
@click.option("--port", type=Whole(0, 65_535), metavar="PORT", help="Listen there; 0 takes any free port.")
@click.option("--bind", metavar="ADDRESS", help="loopback, lan or an address.  [default: loopback]")
@click.option("--token", metavar="TOKEN", help="The token that opens it, instead of the configured one.")
@click.option("--password", metavar="PASSWORD", help="The password, where gateway.auth.mode is password.")
@click.option("--force", is_flag=True, help="Stop the gateway that runs on this state directory first.")
@click.option("--allow-unsafe", is_flag=True, help="Say nothing of settings that are never meant together.")
@click.option("--verbose", is_flag=True, help="Write the log to standard error as well.")
@config_option
def command(
    *,
    port: int | None,
    bind: str | None,
    token: str | None,
    password: str | None,
    force: bool,
    allow_unsafe: bool,
    verbose: bool,
    config: Path | None,
) -> int:
    """Start a gateway. It prints one line when it answers, and stops cleanly on Ctrl-C."""
    gc.enable()
    if force:
        stop_running(config)
    with absent("rich"):  # structlog would paint tracebacks with it, which no log here does: 3 MB
        from instar.app import GatewayOptions, run_gateway

    return run_gateway(
        GatewayOptions(
            config_path=config,
            port=port,
            host=bind,
            token=token,
            password=password,
            allow_unsafe=allow_unsafe,
            verbose=verbose,
        )
    )


def stop_running(config: Path | None) -> None:
    """Stop the gateway of this state directory, if one runs. Raises `StoreLocked` when it does not end in time.

    A process id alone proves nothing, since ids are used again: only one whose gateway answers is stopped.
    """
    for address in find_addresses(Named(config=config), env=os.environ, home=Path.home()):
        if address.pid is None or not is_alive(address.pid):
            continue
        try:
            with BlockingClient((address,), timeout_s=2.0):
                pass
        except InstarError:
            continue
        warn(f"Stopping the gateway that runs as process {address.pid}.")
        os.kill(address.pid, signal.SIGTERM)
        deadline = read_monotonic() + STOP_S
        while is_alive(address.pid):
            if read_monotonic() > deadline:
                raise StoreLocked(
                    f"The gateway that runs as process {address.pid} does not stop",
                    fix="See its log, and end that process.",
                    pid=address.pid,
                )
            wait(0.05)
