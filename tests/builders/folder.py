"""What stands in a folder while a gateway, or a thread of it, writes there."""

from __future__ import annotations

from pathlib import Path

__all__ = ["read_files"]


def read_files(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, with what it holds.

    Looked through anew when one goes meanwhile: a file that is written beside its place is renamed once it is whole.
    """
    while True:
        try:
            return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        except FileNotFoundError:
            continue
