"""`gateway`: where the gateway listens and what callers must know (GW-1, GW-8, GW-11, DASH-1, WHY-5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from instar.config.read import read_bool, read_choice, read_object, read_secret, read_text, read_text_list, read_whole
from instar.errors import ConfigError

__all__ = ["DEFAULT_PORT", "GatewaySettings", "is_loopback", "parse_bind", "parse_gateway"]

DEFAULT_PORT: Final = 18789
"""GW-1."""

_PORT_MAX: Final = 65_535
_BINDS: Final = {"loopback": "127.0.0.1", "lan": "0.0.0.0", "all": "0.0.0.0", "auto": "127.0.0.1"}  # noqa: S104  asked for by name
_VARIABLES: Final = {
    "token": ("INSTAR_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN"),
    "password": ("INSTAR_GATEWAY_PASSWORD", "OPENCLAW_GATEWAY_PASSWORD"),
}

AuthMode = Literal["token", "password"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """The gateway's own settings. `host` is an address or name to listen on; `base_path` begins and ends with ``/`` and
    waits for the dashboard (DASH-1): what is served today lies at the root.

    `token` and `password` are None where neither the file nor the environment has one. `allow_unsafe` silences the
    refusal of pairs that are never meant.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    auth_mode: AuthMode = "token"
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    allowed_origins: tuple[str, ...] = ()
    base_path: str = "/"
    allow_unsafe: bool = False

    @property
    def secret(self) -> str | None:
        """The secret that `auth_mode` asks for; None if nobody configured it."""
        return self.token if self.auth_mode == "token" else self.password


def parse_gateway(root: Mapping[str, object], *, env: Mapping[str, str]) -> GatewaySettings:
    """The gateway's settings of a whole configuration whose aliases are applied."""
    fields = read_object(root.get("gateway"), "gateway")
    auth = read_object(fields.get("auth"), "gateway.auth")
    control_ui = read_object(fields.get("controlUi"), "gateway.controlUi")
    origins = read_text_list(control_ui.get("allowedOrigins"), "gateway.controlUi.allowedOrigins")
    port = read_whole(fields.get("port"), "gateway.port", least=0)
    if port is not None and port > _PORT_MAX:
        raise ConfigError(
            "There is no such port", why=f"it is {port}", fix=f"Write a number up to {_PORT_MAX}.", path="gateway.port"
        )
    secrets = {name: _read_secret(auth, name, env=env) for name in _VARIABLES}
    mode = read_choice(auth.get("mode"), "gateway.auth.mode", words=("token", "password"))
    return GatewaySettings(
        host=_read_host(fields),
        port=DEFAULT_PORT if port is None else port,
        auth_mode="password" if mode == "password" or (mode is None and _only_password(secrets)) else "token",
        token=secrets["token"],
        password=secrets["password"],
        allowed_origins=origins or read_text_list(fields.get("allowedOrigins"), "gateway.allowedOrigins"),
        base_path=_read_base_path(control_ui.get("basePath")),
        allow_unsafe=read_bool(fields.get("allowUnsafe"), "gateway.allowUnsafe") or False,
    )


def parse_bind(text: str, path: str = "gateway.bind") -> str:
    """The address that ``loopback``, ``lan`` or an address means. Raises ConfigError for anything else."""
    word = text.strip().lower()
    if word in _BINDS:
        return _BINDS[word]
    if word == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        raise ConfigError(
            "The gateway cannot listen there",
            why=f'it is "{text}"',
            fix='Write "loopback", "lan" or an IP address.',
            path=path,
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach `host`, as `parse_bind` gives it."""
    return ipaddress.ip_address(host).is_loopback


def _read_host(fields: Mapping[str, object]) -> str:
    text = read_text(fields.get("bind"), "gateway.bind") or "loopback"
    if text.lower() == "custom":
        path = "gateway.customBindHost"
        return parse_bind(read_text(fields.get("customBindHost"), path) or "", path)
    return parse_bind(text)


def _read_secret(auth: Mapping[str, object], name: str, *, env: Mapping[str, str]) -> str | None:
    """The secret of the file, else that of the environment (GW-8)."""
    written = read_secret(auth.get(name), f"gateway.auth.{name}", env=env)
    return written or next((env[each].strip() for each in _VARIABLES[name] if env.get(each, "").strip()), None)


def _only_password(secrets: Mapping[str, str | None]) -> bool:
    return secrets["token"] is None and secrets["password"] is not None


def _read_base_path(value: object) -> str:
    words = [word for word in (read_text(value, "gateway.controlUi.basePath") or "").split("/") if word]
    return f"/{'/'.join(words)}/" if words else "/"
