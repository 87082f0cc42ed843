"""Options that many commands share, and how a command that asks the gateway is made (section 18, head)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

__all__ = ["GatewayFlags", "Whole", "config_option", "gateway_options", "json_option"]

F = TypeVar("F", bound=Callable[..., Any])  # Any: click calls a command with whatever its options are

_TIMEOUT_MS = 10_000


class Whole(click.IntRange):
    """A whole number in a range, called so where one is refused."""

    name = "whole number"


class GatewayFlags(NamedTuple):
    """Which gateway a command asks, as its options say; None leaves it to the configuration."""

    url: str | None = None
    token: str | None = None
    password: str | None = None
    timeout_ms: int = _TIMEOUT_MS
    config: Path | None = None

    def __repr__(self) -> str:
        """Without secrets."""
        return f"GatewayFlags(url={self.url!r}, timeout_ms={self.timeout_ms}, config={self.config!r})"

    @property
    def timeout_s(self) -> float:
        """How long a request may take, in seconds."""
        return self.timeout_ms / 1000


def json_option(command: F) -> F:
    """``--json``: the answer as exactly one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def config_option(command: F) -> F:
    """``--config``: which configuration file holds, handed on as `config`."""
    return click.option("--config", type=click.Path(path_type=Path), help="Configuration file.", metavar="FILE")(
        command
    )


def gateway_options(command: Callable[..., Any]) -> Callable[..., Any]:  # Any: see F
    """``--url --token --password --timeout --config``, handed to the command as one `flags`."""

    @functools.wraps(command)
    def wrapped(
        *args: object,
        url: str | None,
        token: str | None,
        password: str | None,
        timeout: int,
        config: Path | None,
        **options: object,
    ) -> object:
        flags = GatewayFlags(url=url, token=token, password=password, timeout_ms=timeout, config=config)
        return command(*args, flags=flags, **options)

    described = (
        click.option("--url", help="Address of the gateway, like ws://127.0.0.1:18789.", metavar="URL"),
        click.option("--token", help="Its token, where the configuration does not know it.", metavar="TOKEN"),
        click.option("--password", help="Its password, in the same case.", metavar="PASSWORD"),
        click.option(
            "--timeout",
            type=Whole(min=1),
            default=_TIMEOUT_MS,
            show_default=True,
            help="How long to wait for an answer, in milliseconds.",
            metavar="MS",
        ),
    )
    made: Callable[..., Any] = config_option(wrapped)
    for option in reversed(described):
        made = option(made)
    return made
