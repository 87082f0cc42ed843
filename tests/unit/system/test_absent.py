"""Modules that are kept out of memory."""

import subprocess
import sys

import pytest

from instar.system.absent import absent


def test_a_module_is_not_found_within_the_block_and_is_afterwards():
    code = """
from instar.system.absent import absent
with absent("colorsys"):
    try:
        import colorsys
    except ImportError as error:
        print(error)
import colorsys
print(colorsys.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.splitlines() == ["import of colorsys halted; None in sys.modules", "colorsys"]


def test_a_module_that_is_there_stays():
    with absent("json"):
        import json
    assert sys.modules["json"] is json


def test_a_block_that_fails_hides_nothing_afterwards():
    with pytest.raises(KeyError), absent("no_such_module_of_tests"):
        raise KeyError
    assert "no_such_module_of_tests" not in sys.modules


def test_one_block_may_stand_within_another():
    with absent("no_such_module_of_tests"):
        with absent("no_such_module_of_tests"):
            pass
        assert "no_such_module_of_tests" in sys.modules
    assert "no_such_module_of_tests" not in sys.modules
