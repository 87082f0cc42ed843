"""Which browser pages may talk to the gateway (GW-11).

A browser sends the origin of the page; other programs send none and are judged by their credentials alone. The
gateway's own pages come from the address that the browser itself asked for. That address is believed only when it
is an IP address or ``localhost``: a name could have been pointed at this machine by anybody (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

__all__ = ["is_host_known", "is_origin_allowed", "is_own_origin"]


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


def is_own_origin(origin: str | None, *, host_header: str, allowed: Sequence[str]) -> bool:
    """Whether a page of this very gateway asks, so that its cookie counts (LEAK-9).

    The page's address has to be the one that the browser asked; a name counts only where `allowed` lists it, and ``*``
    lists none.
    """
    if origin is None:
        return False
    listed = [one for one in allowed if one != "*"]
    if not is_origin_allowed(origin, host_header=host_header, allowed=listed):
        return False
    scheme, _, netloc = origin.partition("://")
    return _authority(netloc, scheme=scheme.lower()) == _authority(host_header, scheme=scheme.lower())


def is_host_known(host_header: str, *, allowed: Sequence[str]) -> bool:
    """Whether the address that a browser asked for is this gateway's: an IP address, ``localhost``, or a listed name.

    Any other name may have been pointed here by a stranger whose page wants to read ours (DNS rebinding).
    """
    try:
        name = urlsplit(f"//{host_header}").hostname
    except ValueError:
        return False
    return bool(name) and (_is_fixed(name or "") or name in {urlsplit(one).hostname for one in allowed})


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
