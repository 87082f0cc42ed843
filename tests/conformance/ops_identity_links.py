"""`identity_links.json`: identity groups, the person behind an id, docking targets (LINK-*, DOCK-3, DOCK-6)."""

from __future__ import annotations

from collections.abc import Callable

from instar.config.aliases import apply_aliases
from instar.config.sections.routing import parse_identity_links, parse_routing
from instar.core.routing.identity import Links, resolve_dock_target, resolve_sharing_person
from instar.core.routing.normalize import normalize_channel, normalize_peer
from tests.conformance.ops_session_keys import write_id


def ask_groups(case: dict) -> dict[str, object]:
    groups = parse_identity_links(case.get("identityLinks"))
    return {"groups": [{"name": group.name, "ids": list(group.ids), "shared": group.shared} for group in groups]}


def ask_link(case: dict) -> dict[str, object]:
    channel = normalize_channel(case.get("channel"))
    peer_id = normalize_peer(channel, kind="direct", peer_id=write_id(case.get("peerId")))
    person = resolve_sharing_person(links_of(case), channel=channel, peer_id=peer_id)
    return {"canonical": None if person is None else person.name}


def ask_dock(case: dict) -> dict[str, object]:
    source = normalize_channel(case.get("sourceChannel"))
    target = resolve_dock_target(
        links_of(case),
        source_channel=source,
        source_peer_id=normalize_peer(source, kind="direct", peer_id=write_id(case.get("sourcePeerId"))),
        target_channel=normalize_channel(case.get("targetChannel")),
    )
    return {"targetPeerId": target}


def links_of(case: dict) -> Links:
    """The links of a case, under the rest of its configuration if it has one."""
    config = {**(case.get("config") or {}), "identityLinks": case.get("identityLinks")}
    return parse_routing(apply_aliases(config)).keys.links


OPS: dict[str, Callable[[dict], object]] = {"groups": ask_groups, "link": ask_link, "dock": ask_dock}
