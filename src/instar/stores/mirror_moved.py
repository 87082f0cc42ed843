"""Where the mirror's files lie after its state directory was moved or copied (STORE-4).

The mirror remembers by whole paths how it left its files. Under another name of the state directory these lead back to
the old one, which may still be somebody's: its files must be neither taken nor written. So the marks are moved along
first. A template that names another place (STORE-8) is no such move: then the files lie where the marks say.
"""

from __future__ import annotations

from pathlib import Path

from instar.stores.mirror_places import INDEX_NAME, MirrorPlaces
from instar.stores.mirror_rows import list_written_indices
from instar.stores.transaction import Transaction

__all__ = ["find_old_home", "move_marks", "take_home"]


def find_old_home(tx: Transaction, places: MirrorPlaces) -> Path | None:
    """The state directory whose files the marks name, None if it is this one.

    It is another one when no index was written here, and one that was written there lies here under the same name.
    """
    written = list_written_indices(tx)
    if places.template is not None or any(path.is_relative_to(places.state_dir / "agents") for path in written):
        return None
    for path in written:
        if path.parts[-4:-3] != ("agents",) or path.parts[-2:] != ("sessions", INDEX_NAME):
            continue
        home = path.parents[3]
        if take_home(path, home, places).is_file():
            return home
    return None


def take_home(path: Path, old_home: Path | None, places: MirrorPlaces) -> Path:
    """The place here of a file that the marks name; `old_home` is what `find_old_home` found."""
    if old_home is None or not path.is_relative_to(old_home) or path.is_relative_to(places.state_dir):
        return path
    return places.state_dir / path.relative_to(old_home)


def move_marks(tx: Transaction, places: MirrorPlaces) -> Path | None:
    """Let the marks of a state directory that was moved lead to its files here; from where, None if it was not."""
    home = find_old_home(tx, places)
    if home is not None:
        tx.run("move_marks", {"old": f"{home}/", "new": f"{places.state_dir}/"})
    return home
