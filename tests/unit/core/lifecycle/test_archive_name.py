import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.core.lifecycle.archive_name import ArchiveName, format_archive_name, parse_archive_name
from instar.core.model.ids import Instant

NOON = Instant(1_773_144_000_000)


def test_an_archive_is_named_by_file_reason_and_time():
    name = ArchiveName(file_name="ab.jsonl", reason="deleted", at=NOON)
    assert format_archive_name(name) == "ab.jsonl.deleted.2026-03-10T12-00-00.000Z"


def test_a_second_one_of_the_same_moment_is_told_apart_before_the_reason():
    name = ArchiveName(file_name="ab.jsonl", reason="reset", at=NOON, clash=2, is_compressed=True)
    assert format_archive_name(name) == "ab.jsonl-2.reset.2026-03-10T12-00-00.000Z.zst"


@given(
    st.builds(
        ArchiveName,
        file_name=st.text("ab.%-_", min_size=1).map(lambda stem: f"{stem}.jsonl"),
        reason=st.sampled_from(["reset", "deleted", "bak"]),
        at=st.integers(0, 4_000_000_000_000).map(Instant),
        clash=st.integers(0, 99),
        is_compressed=st.booleans(),
    )
)
def test_every_name_is_read_back_as_it_was_meant(name):
    assert parse_archive_name(format_archive_name(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "ab.jsonl",
        "sessions.json",
        "ab.jsonl.gone.2026-03-10T12-00-00.000Z",
        "ab.jsonl.reset.yesterday",
        "ab.jsonl.reset.2026-13-10T12-00-00.000Z",
        "ab.jsonl.conflict.2026-03-10T12-00-00.000Z",
    ],
)
def test_other_files_are_no_archives(text):
    assert parse_archive_name(text) is None
