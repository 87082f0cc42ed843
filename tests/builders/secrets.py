"""Every secret that a configuration can hold, found by its mark in the schema, each with a value of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from instar.config.reference import Row, list_settings

__all__ = ["SECRET_SETTINGS", "Planted", "plant_secrets"]

SECRET_SETTINGS: tuple[Row, ...] = tuple(row for _, rows in list_settings() for row in rows if row.facts.get("secret"))
"""The rows of the schema that are marked as secret. A new one is in every test of secrets by existing."""

NAME = "mine"
"""Stands for `<name>` in the path of a setting."""

_BESIDE: dict[str, dict[str, object]] = {
    f"channels.{NAME}": {"type": "bridge", "dmPolicy": "open"},
    f"models.providers.{NAME}": {"baseUrl": "http://127.0.0.1:9", "models": ["m"]},
    "session": {"dmScope": "per-channel-peer"},
}
"""What has to stand beside a secret for the configuration to mean something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A configuration with a value in every secret setting. `values` are those values, by the path of each."""

    config: dict[str, object]
    values: dict[str, str]


def plant_secrets(*, by_variable: bool = False) -> Planted:
    """A configuration that holds every secret there is; with `by_variable` as the names of variables `S0`, `S1`, …"""
    config: dict[str, object] = {}
    for path, fields in _BESIDE.items():
        for name, value in fields.items():
            _put(config, [*path.split("."), name], value)
    values: dict[str, str] = {}
    for at, row in enumerate(SECRET_SETTINGS):
        value = f"quite-secret-{at}-{'x7K' * 7}"
        values[row.path] = value
        if _is_object(row):
            _put(config, [*_steps(row.path)], {"X-Odd": value})  # headers take no variables
        else:
            _put(config, [*_steps(row.path)], f"${{S{at}}}" if by_variable else value)
    return Planted(config=config, values=values)


def _is_object(row: Row) -> bool:
    return "Headers" in row.meaning


def _steps(path: str) -> Iterator[str]:
    for step in path.split("."):
        yield NAME if step == "<name>" else step


def _put(config: dict[str, object], steps: list[str], value: object) -> None:
    *folders, last = steps
    for step in folders:
        inner = config.setdefault(step, {})
        assert isinstance(inner, dict)
        config = inner
    config[last] = value
