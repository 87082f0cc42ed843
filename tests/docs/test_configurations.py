"""Every configuration that a page or an example shows can be pasted as it stands, and is meant."""

import re
from pathlib import Path

import pyjson5
import pytest

from instar.config.load import list_problems

ROOT = Path(__file__).parents[2]
SECTIONS = ("channels", "session", "models", "agents")
"""What a configuration has and a message on the wire has not."""

_BLOCK = re.compile(r"^```json5\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^.*?(channels: \{.*\})$", re.MULTILINE)


def find_configurations():
    """Place and text of every block that is an object of settings."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, found in enumerate(_BLOCK.finditer(page.read_text()), 1):
            if any(re.search(rf"^\s*{{?\s*{name}: ", found[1], re.MULTILINE) for name in SECTIONS):
                yield pytest.param(found[1], id=f"{page.relative_to(ROOT)}:{number}")
    for example in sorted((ROOT / "examples").rglob("*.*")):
        for found in _COMMENT.finditer(example.read_text()):
            yield pytest.param(f"{{{found[1]}}}", id=str(example.relative_to(ROOT)))


def test_there_are_some():
    assert len(list(find_configurations())) >= 6


@pytest.mark.parametrize("text", list(find_configurations()))
def test_a_configuration_that_is_shown_can_be_used(text):
    assert isinstance(pyjson5.decode(text), dict)
    wrong, noticed = list_problems(text, env={"INSTAR_MASTER_KEY": "a" * 64}, home=Path("/house"))
    assert [str(each) for each in (*wrong, *noticed) if getattr(each, "severity", "") != "note"] == []
