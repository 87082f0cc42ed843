"""The scripts that come before Python: they can be run, and they say what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.builders.tree import ROOT

SCRIPTS = [".ci/run", ".ci/setup"]


def cksum(path):
    return subprocess.run(["cksum"], input=path.read_bytes(), capture_output=True, check=True).stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path):
    """A checkout with nothing but what setup reads, and a .venv that looks filled for it."""
    (tmp_path / ".ci").mkdir()
    for name in [".ci/setup", "pyproject.toml", "requirements.lock"]:
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/false")
    lock, project = (cksum(tmp_path / name) for name in ["requirements.lock", "pyproject.toml"])
    (tmp_path / ".venv" / ".instar-locked").write_text(f"{tmp_path} {lock}\n")
    (tmp_path / ".venv" / ".instar-installed").write_text(f"{tmp_path} {lock} {project}\n")
    return tmp_path


def run_setup(checkout, **environment):
    return subprocess.run(
        [checkout / ".ci" / "setup"],
        env=os.environ | {"PYTHON": "no-such-python"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_run(name):
    assert os.access(ROOT / name, os.X_OK)
    shell = (ROOT / name).read_text(encoding="utf-8").splitlines()[0].rpartition("/")[2].rpartition(" ")[2]
    subprocess.run([shell, "-n", ROOT / name], check=True)


def test_setup_does_nothing_when_nothing_changed(checkout):
    done = run_setup(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_sees_a_new_lock_and_names_the_python_that_is_missing(checkout):
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    done = run_setup(checkout)
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
    assert "no-such-python" in done.stderr


def test_setup_keeps_an_old_venv_until_there_is_a_python_for_a_new_one(checkout):
    (checkout / ".venv" / ".instar-locked").unlink()
    run_setup(checkout)
    assert (checkout / ".venv" / "bin").is_dir()


def test_setup_names_a_debian_package_that_it_may_not_install(checkout, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, answer in {"dpkg-query": "exit 1", "id": "echo 1000"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{answer}\n")
        (tools / name).chmod(0o755)
    done = run_setup(checkout, DEB_PACKAGES="no-such-package", PATH=f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0
    assert "apt-get install no-such-package" in done.stderr
