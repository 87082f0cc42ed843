"""Methods about one person: who is known, what is held, and that it goes (LEAK-11)."""

from __future__ import annotations

from typing import Final

from instar.protocol.methods.row import ADMIN, Method, flag, text, whole

__all__ = ["PEOPLE"]

_ID: Final = text("id", required=True, most=512, note="a linked person's name, a principal, or any `channel:peer`")
_RECEIPT: Final = (
    "`{id, at, counts, residue, left: [{place, count, fix}], searchedWords, commonWords, searchedFiles, backups, "
    "droppedBackups, planned}`"
)

PEOPLE: Final = (
    Method(
        name="people.list",
        scope=ADMIN,
        summary="everybody whom the store knows, whoever wrote last first; linked ids are one person",
        result="`{people: [{id, ids, names, sessions, messages, lastAt}]}`",
        rule="LEAK-11",
        fields=(whole("limit", least=1, most=100_000, note="default 1000"),),
    ),
    Method(
        name="people.export",
        scope=ADMIN,
        summary="write what is held about a person into a folder of the state directory",
        result="`{path, counts}`",
        rule="LEAK-11",
        side_effect=True,
        fields=(_ID, text("name", most=200, note="a folder's name in `<state>/exports`; without it one of the time")),
    ),
    Method(
        name="people.erase",
        scope=ADMIN,
        summary="take a person out of everything that is kept, search for what is left, and give a receipt",
        result=_RECEIPT,
        rule="LEAK-11",
        side_effect=True,
        fields=(
            _ID,
            flag("dryRun", note="say what would go, and change nothing"),
            flag("dropBackups", note="delete the backups that still hold them"),
        ),
    ),
)
