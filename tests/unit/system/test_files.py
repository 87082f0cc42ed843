import stat

import pytest

from instar.system.files import create_private_file, is_plain_name, make_private_folder, replace_file


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_new_folders_and_files_are_their_owners_alone(tmp_path):
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    create_private_file(folder / "c")
    assert (mode(folder), mode(folder.parent), mode(folder / "c")) == (0o700, 0o700, 0o600)


def test_what_is_there_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path)
    file = tmp_path / "f"
    file.write_text("x")
    create_private_file(file)
    assert (mode(tmp_path), file.read_text()) == (0o755, "x")


def test_a_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "f"
    file.write_text("old")
    facts = replace_file(file, [b"ne", b"w"])
    assert (file.read_bytes(), mode(file), facts.st_size) == (b"new", 0o600, 3)
    assert facts.st_mtime_ns == file.stat().st_mtime_ns


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "f"
    file.write_text("old")

    def chunks():
        yield b"new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_file(file, chunks())
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_names_the_file_that_was_meant(tmp_path):
    place = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        replace_file(place, [b"new"])
    assert caught.value.filename == str(place)


@pytest.mark.parametrize("name", ["a", "Ann's export (1)", "ä" * 100, "b.tar.zst"])
def test_a_plain_name_names_one_file(name):
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a/", ".a", "a\0b", "a\nb", "\ud800", "\u202ea", "ä" * 101]
)
def test_no_other_name_does(name):
    assert not is_plain_name(name)
