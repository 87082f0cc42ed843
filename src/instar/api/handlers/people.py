"""Methods about one person (LEAK-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from instar.api.call import Call, Handler
from instar.core.model.people import ErasureReceipt, PersonRow

__all__ = ["HANDLERS", "build_person", "build_receipt"]

LIST_DEFAULT_LIMIT: Final = 1000


async def list_people(call: Call) -> object:
    """`people.list`."""
    rows = await call.gateway.people.list(limit=call.params.whole("limit", LIST_DEFAULT_LIMIT))
    return {"people": [build_person(row) for row in rows]}


def build_person(row: PersonRow) -> dict[str, object]:
    """A person as the wire shows them."""
    return {
        "id": row.id,
        "ids": list(row.ids),
        "names": list(row.names),
        "sessions": row.sessions,
        "messages": row.messages,
        "lastAt": row.last_at,
    }


async def export_person(call: Call) -> object:
    """`people.export`."""
    done = await call.gateway.people.export(call.params.text("id"), name=call.params.maybe_text("name"))
    return {"path": done.path, "counts": dict(done.counts)}


async def erase_person(call: Call) -> object:
    """`people.erase`."""
    people, who = call.gateway.people, call.params.text("id")
    if call.params.flag("dryRun"):
        return build_receipt(await people.plan(who))
    drop_backups = call.params.flag("dropBackups")
    return build_receipt(await people.erase(who, drop_backups=drop_backups, who=call.caller.who))


def build_receipt(receipt: ErasureReceipt) -> dict[str, object]:
    """A receipt as the wire shows it."""
    return {
        "id": receipt.id,
        "at": receipt.at,
        "counts": dict(receipt.counts),
        "residue": receipt.residue,
        "left": [{"place": one.place, "count": one.count, "fix": one.fix} for one in receipt.left],
        "searchedWords": receipt.searched_words,
        "commonWords": receipt.common_words,
        "searchedFiles": receipt.searched_files,
        "backups": list(receipt.backups),
        "droppedBackups": list(receipt.dropped_backups),
        "planned": receipt.planned,
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "people.list": list_people,
    "people.export": export_person,
    "people.erase": erase_person,
}
