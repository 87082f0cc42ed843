"""Which browser pages may talk to the gateway (GW-11).

A browser sends the origin of the page; other programs send none and are judged by their credentials alone. The
gateway's own pages come from the address that the browser itself asked for. That address is believed only when it
is an IP address or ``localhost``: a name could have been pointed at this machine by anybody (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

__all__ = ["is_origin_allowed"]


def is_origin_allowed(origin: str | None, *, host_header: str, allowed: Sequence[str]) -> bool:
    """Whether a request with this ``Origin`` may go on. `allowed` holds whole origins, or ``*`` for any."""
    if origin is None:
        return True
    if "*" in allowed or origin.rstrip("/").lower() in {one.rstrip("/").lower() for one in allowed}:
        return True
    try:
        parts = urlsplit(origin)
        name, port = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not name or not _is_fixed(name):
        return False
    return _authority(parts.netloc, scheme=parts.scheme) == _authority(host_header, scheme=parts.scheme) and port != 0


def _is_fixed(name: str) -> bool:
    """Whether nobody can point the name at another machine."""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _authority(netloc: str, *, scheme: str) -> str:
    """Host and port in lower case, without the port that the scheme means anyway."""
    return netloc.lower().removesuffix(":443" if scheme == "https" else ":80")
