import os
import signal
import subprocess
import sys

import pytest

from instar.errors import StoreLocked
from instar.system.lock import ProcessLock


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    path = tmp_path / "instar.lock"
    first, second = ProcessLock(path), ProcessLock(path)
    first.acquire()
    with pytest.raises(StoreLocked, match=f"process {os.getpid()} holds it") as refused:
        second.acquire()
    assert refused.value.pid == os.getpid()
    first.release()
    second.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    second.release()
    second.release()


def test_a_lock_is_free_when_its_holder_dies_however_it_dies(tmp_path):
    path = tmp_path / "instar.lock"
    script = (
        "import os, signal, sys; from pathlib import Path; from instar.system.lock import ProcessLock\n"
        "ProcessLock(Path(sys.argv[1])).acquire(); print('held', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", script, str(path)]
    holder = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert (holder.stdout, holder.returncode) == ("held\n", -signal.SIGKILL), holder.stderr
    lock = ProcessLock(path)
    lock.acquire()
    lock.release()


def test_a_file_of_an_old_holder_or_of_nonsense_is_no_obstacle(tmp_path):
    path = tmp_path / "instar.lock"
    path.write_text("99999999\nand more")
    lock = ProcessLock(path)
    lock.acquire()
    lock.release()


def test_a_holder_that_has_not_said_who_it_is_is_still_a_holder(tmp_path):
    path = tmp_path / "instar.lock"
    lock = ProcessLock(path)
    lock.acquire()
    path.write_text("")
    with pytest.raises(StoreLocked, match="another process holds it"):
        ProcessLock(path).acquire()
    lock.release()


def test_a_place_that_cannot_be_written_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        ProcessLock(tmp_path / "none" / "instar.lock").acquire()
