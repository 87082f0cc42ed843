"""Which gateway is meant, and by which secret it is opened (section 18 of the spec, head).

Address and secret come from the command line, else from the configuration, else from the file ``gateway.json`` that a
running gateway keeps in its state directory. Nothing is asked over the network here, and nothing heavy is imported
unless the configuration speaks of a gateway: this is on the way of every command.

A stored secret is sent to this machine only. An address that somebody typed may be mistyped; what opens this gateway
is not for whoever listens there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from instar.config.paths import DATABASE_NAME, find_config_file, resolve_state_dir
from instar.errors import InvalidRequest

__all__ = ["DEFAULT_URL", "RUNNING_NAME", "GatewayAddress", "Named", "find_addresses", "is_alive", "is_this_machine"]

DEFAULT_URL: Final = "ws://127.0.0.1:18789"
"""Where a gateway listens that was not told otherwise (GW-1)."""

RUNNING_NAME: Final = "gateway.json"
"""The file in the state directory that a running gateway writes: ``{url, token, password?, pid}``, mode 0600."""

_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


class Named(NamedTuple):
    """What was named by hand; None for what was not."""

    url: str | None = None
    token: str | None = None
    password: str | None = None
    config: Path | None = None

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Named(url={self.url!r}, config={self.config!r})"


class GatewayAddress(NamedTuple):
    """A gateway that may be there. `origin` is who says so; `pid` its process where its own file tells.

    `state_dir` is the directory that it has to work in to be the one that is meant; None where any will do.
    """

    url: str
    token: str | None = None
    password: str | None = None
    origin: Literal["flag", "configuration", "running", "default"] = "default"
    pid: int | None = None
    state_dir: Path | None = None

    def __repr__(self) -> str:
        """Without secrets."""
        return f"GatewayAddress(url={self.url!r}, origin={self.origin!r}, pid={self.pid!r})"


def find_addresses(named: Named, *, env: Mapping[str, str], home: Path) -> tuple[GatewayAddress, ...]:
    """Where to look for the gateway, the likeliest place first; never empty.

    An address that was named by hand stands alone. Where the state directory holds a database and nothing was named by
    hand, only a gateway that works there is meant: a copy's configuration names the port of the original. Raises
    `InvalidRequest` for one that is no address, `ConfigError` for a configuration that cannot be used.
    """
    configured = _read_config(named.config, env=env, home=home)
    state_dir = resolve_state_dir(env, home=home)
    running = _read_running(state_dir / RUNNING_NAME)
    stored = _join_secrets(configured, running)
    if named.url is not None:
        url = _normal_url(named.url)
        address = GatewayAddress(url=url, origin="flag")
        known = stored if is_this_machine(url) else address
        return (_with_secrets(address, named, known),)
    places = [place for place in (configured, running) if place is not None and place.url]
    if not places:
        places = [GatewayAddress(url=DEFAULT_URL)]
    by_url = {place.url: place for place in places}  # what a gateway says of itself replaces what was meant for it
    is_settled = named.token is None and named.password is None and (state_dir / DATABASE_NAME).is_file()
    meant = state_dir if is_settled else None
    return tuple(_with_secrets(place, named, stored)._replace(state_dir=meant) for place in by_url.values())


def is_this_machine(url: str) -> bool:
    """Whether an address leads to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_alive(pid: int) -> bool:
    """Whether a process of that id runs; somebody else's counts, one that only waits to be buried does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:
        # Linux: the state follows the name, which stands in brackets and may hold anything.
        return not Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].lstrip().startswith("Z")
    except OSError:
        return True


def _with_secrets(address: GatewayAddress, named: Named, stored: GatewayAddress) -> GatewayAddress:
    """The address with the secrets that were named by hand, else with those that are stored."""
    by_hand = named.token or named.password
    return GatewayAddress(
        url=address.url,
        token=named.token if by_hand else address.token or stored.token,
        password=named.password if by_hand else address.password or stored.password,
        origin=address.origin,
        pid=address.pid,
    )


def _join_secrets(configured: GatewayAddress | None, running: GatewayAddress | None) -> GatewayAddress:
    """The secrets of the configuration, else of the running gateway."""
    one = configured or GatewayAddress(url="")
    other = running or GatewayAddress(url="")
    return GatewayAddress(url="", token=one.token or other.token, password=one.password or other.password)


def _normal_url(text: str) -> str:
    """``host:port``, ``ws://…`` or ``http://…`` as a WebSocket address without a path to nowhere."""
    full = text if "://" in text else f"ws://{text}"
    try:
        parts = urlsplit(full)
        scheme, port = _SCHEMES.get(parts.scheme), parts.port
    except ValueError:
        scheme, port, parts = None, None, urlsplit("")
    if scheme is None or not parts.hostname:
        raise InvalidRequest(
            f"{text} is no address of a gateway", fix="Write it like ws://127.0.0.1:18789.", field="url"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _read_running(path: Path) -> GatewayAddress | None:
    """What a running gateway says of itself; None where none runs or its file cannot be read."""
    try:
        facts = json.loads(path.read_bytes())
        return GatewayAddress(
            url=_normal_url(facts["url"]),
            token=_text(facts.get("token")),
            password=_text(facts.get("password")),
            origin="running",
            pid=facts["pid"] if isinstance(facts.get("pid"), int) else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidRequest):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_config(path: Path | None, *, env: Mapping[str, str], home: Path) -> GatewayAddress | None:
    """What the configuration says of its gateway; its url is empty where it names no port.

    The file is only parsed when it can say anything: reading JSON5 takes three times as long as asking a gateway.
    """
    file, must_exist = find_config_file(path, env, home=home)
    text = ""
    if must_exist or file.exists():
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            from instar.config.load import read_config_file

            read_config_file(path, env=env, home=home)  # says what is wrong with it, and where
    speaks_of_it = "gateway" in text or "\\" in text or any("_GATEWAY_" in name for name in env)
    return _parse_config(text or "{}", file=str(file), env=env) if speaks_of_it else None


def _parse_config(text: str, *, file: str, env: Mapping[str, str]) -> GatewayAddress:
    from instar.config.document import parse_document, place_error
    from instar.config.sections.gateway import parse_gateway
    from instar.errors import ConfigError

    document = parse_document(text, file=file)
    try:
        settings = parse_gateway(document.value, env=env)
    except ConfigError as error:
        raise place_error(document, error) from None
    fields = document.value.get("gateway")
    names_port = isinstance(fields, Mapping) and fields.get("port") is not None and settings.port > 0
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - where to look for it
    host = f"[{host}]" if ":" in host else host
    return GatewayAddress(
        url=f"ws://{host}:{settings.port}" if names_port else "",
        token=settings.token if settings.auth_mode == "token" else None,
        password=settings.password if settings.auth_mode == "password" else None,
        origin="configuration",
    )
