"""What is done to the files of a gateway that was just killed: what disks and other hands do to files.

The mirror's files may be harmed in any way, since no word depends on them (STORE-4). A database is harmed on copies
only (`damage.py`): what is gone from it is gone, and the question is whether that is said.
"""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Final

from instar.errors import InvalidRequest
from instar.testing.simulate.dice import Dice

__all__ = ["MIRROR_HARMS", "SmallDisk", "flip_bits", "harm_mirror", "tear"]

_BLOCK: Final = 1024 * 1024
_PAGE: Final = 4096


def tear(path: Path, dice: Dice) -> None:
    """Cut a file somewhere, as a write that was not finished does."""
    os.truncate(path, dice.below(max(1, path.stat().st_size)))


def flip_bits(path: Path, dice: Dice, *, bits: int = 8) -> None:
    """Turn some bits of a file, as worn memory does."""
    content = bytearray(path.read_bytes())
    for _ in range(bits if content else 0):
        content[dice.below(len(content))] ^= 1 << dice.below(8)
    path.write_bytes(content)


def _zero(path: Path, dice: Dice) -> None:
    """Fill the end of a file with NULs, as file systems do after a loss of power."""
    size = path.stat().st_size
    start = dice.below(max(1, size))
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(size - start))


def _half_a_line(path: Path, dice: Dice) -> None:
    """Half a line at the end."""
    del dice
    with path.open("ab") as file:
        file.write(b'{"type":"message","id":"')


def _remove(path: Path, dice: Dice) -> None:
    """Gone."""
    del dice
    path.unlink()


MIRROR_HARMS: Final = {
    "torn": tear,
    "bits flipped": flip_bits,
    "zeroed": _zero,
    "half a line": _half_a_line,
    "removed": _remove,
}


def harm_mirror(state_dir: Path, dice: Dice) -> list[str]:
    """Harm up to three files of the mirror; what was done, by kind."""
    folder = state_dir / "agents" / "main" / "sessions"
    files = sorted(path for path in folder.glob("*.json*") if path.is_file() and ".conflict." not in path.name)
    done = []
    for _ in range(1 + dice.below(3) if files else 0):
        path, name = dice.pick(files), dice.pick(list(MIRROR_HARMS))
        if path.is_file():
            MIRROR_HARMS[name](path, dice)
            done.append(name)
    return done


class SmallDisk:
    """A file system of its own, which can be filled and made read-only; only root may mount one."""

    def __init__(self, path: Path, *, mib: int) -> None:
        path.mkdir(parents=True)
        self.path = path
        self._filler = path / "filler"
        done = _run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(path))
        if done.returncode:
            raise InvalidRequest(
                f"No small disk can be mounted at {path}",
                why=done.stderr.strip(),
                fix="Run it as root, or leave out the harms full and read-only.",
            )

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filler.open("ab", buffering=0) as file:
            size = _BLOCK
            while size >= _PAGE:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 16

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def set_read_only(self, *, is_read_only: bool) -> None:
        """For reading alone, or for both. No process may have a file open for writing."""
        done = _run("mount", "-o", f"remount,{'ro' if is_read_only else 'rw'}", str(self.path))
        if done.returncode:
            raise InvalidRequest(f"{self.path} cannot be mounted anew", why=done.stderr.strip())

    def close(self) -> None:
        """Let go of it and of all that is on it."""
        _run("umount", "-l", str(self.path))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - mount and umount
