"""Names of linked people that are somebody else's session already (WHY-5, LEAK-4).

What belongs here: which keys the links of a configuration give, and what is wrong when one of them was begun by
somebody else. What does not: reading the store, which whoever lets a configuration hold does. Kept apart from `lint`,
since no configuration alone shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instar.config.config import Config
from instar.config.finding import Finding
from instar.config.read import join_path
from instar.core.model.ids import SessionKey
from instar.core.policy.ownership import is_begun_by_another
from instar.core.routing.identity import person_segment

__all__ = ["lint_owners", "list_linked_keys"]


def list_linked_keys(config: Config) -> Mapping[SessionKey, str]:
    """The sessions of linked people, with every agent, and the name of each as it is written."""
    groups = [group for group in config.routing.keys.links.groups if group.shared]
    return {
        SessionKey(f"agent:{agent.id}:direct:{person_segment(group.name)}"): group.name
        for agent in config.agents.all
        for group in reversed(groups)
    }


def lint_owners(config: Config, owners: Mapping[SessionKey, str | None]) -> Iterator[Finding]:
    """A finding for each linked person whose session is there and was begun by another; `owners` are by its key."""
    links = config.routing.keys.links
    for key, name in list_linked_keys(config).items():
        if not is_begun_by_another(key, began=owners.get(key), owner=person_segment(name), links=links):
            continue
        yield Finding(
            code="link-names-anothers-session",
            severity="critical",
            path=join_path("session.identityLinks", name),
            what=f'Messages of "{name}" will be refused',
            why=f"their session would be {key}, which {owners[key]} began",
            fix=f"Give the person another name, or export and delete that session: instar sessions delete {key}",
        )
