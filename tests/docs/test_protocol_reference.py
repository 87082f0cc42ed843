"""The page about the wire is the one its tables give."""

from pathlib import Path

from instar.protocol.reference import build_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"


def test_the_page_is_built_from_the_tables() -> None:
    fix = "run: python -m instar.protocol.reference > docs/reference/protocol.md"
    assert PAGE.read_text(encoding="utf-8") == build_reference(), fix
