"""The key ring: a key for each person, destroyed for good, wrapped by one master key."""

from __future__ import annotations

import stat

import pytest

from instar.errors import ConfigError, InvalidRequest, StoreError, StoreUnreadable
from instar.stores.sealing.master import create_key_file, draw_key, parse_key, read_key_file
from instar.stores.sealing.ring import copy_ring, count_keys, create_ring, open_ring, read_ring_id

MASTER, OTHER = b"m" * 32, b"o" * 32


def test_a_person_has_one_key_that_is_there_again_after_a_restart(tmp_path):
    ring = create_ring(tmp_path / "keys.ring", MASTER)
    name, box = ring.choose("person:ann")
    sealed = box.encrypt(b"n" * 12, b"hello", None)
    assert ring.choose("person:ann")[0] == name
    assert ring.choose("person:bob")[0] != name
    again = open_ring(tmp_path / "keys.ring", MASTER)
    assert again.id == ring.id
    assert again.choose("person:ann")[0] == name
    assert again.find(name).decrypt(b"n" * 12, sealed, None) == b"hello"
    assert len(again) == 2


def test_the_file_names_nobody_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "keys.ring"
    create_ring(path, MASTER).choose("person:ann-from-telegram")
    assert b"ann" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_wrong_master_key_is_known_at_once_and_changes_nothing(tmp_path):
    path = tmp_path / "keys.ring"
    create_ring(path, MASTER).choose("person:ann")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="does not fit"):
        open_ring(path, OTHER)
    assert path.read_bytes() == before


def test_a_destroyed_key_is_nowhere_and_stays_named(tmp_path):
    path = tmp_path / "keys.ring"
    ring = create_ring(path, MASTER)
    name, _ = ring.choose("person:ann")
    kept, _ = ring.choose("person:bob")
    wrapped = next(line for line in path.read_bytes().splitlines() if name.encode() in line)
    assert ring.destroy([name, "unknown"]) == 1
    assert ring.destroy([name]) == 0
    for one in (ring, open_ring(path, MASTER)):
        assert one.find(name) is None
        assert one.find(kept) is not None
        assert one.gone == {name}
    assert wrapped not in path.read_bytes()
    assert ring.choose("person:ann")[0] != name


def test_a_key_that_was_overwritten_before_a_crash_counts_as_destroyed(tmp_path):
    path = tmp_path / "keys.ring"
    ring = create_ring(path, MASTER)
    name, _ = ring.choose("person:ann")
    wrapped = ring._lines[name].wrapped
    path.write_bytes(path.read_bytes().replace(wrapped.encode(), b"*" * len(wrapped)))
    again = open_ring(path, MASTER)
    assert again.gone == {name}
    assert again.find(name) is None


def test_a_line_that_a_crash_cut_short_is_left_out_and_cut_off(tmp_path):
    path = tmp_path / "keys.ring"
    create_ring(path, MASTER).choose("person:ann")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key":"half')
    ring = open_ring(path, MASTER)
    assert len(ring) == 1
    ring.choose("person:bob")
    assert path.read_bytes().startswith(whole)
    assert len(open_ring(path, MASTER)) == 2


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b'{"format":"other","version":1,"id":"x","secret":"y"}\n'])
def test_a_damaged_ring_is_told_and_left_alone(tmp_path, content):
    path = tmp_path / "keys.ring"
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable):
        open_ring(path, MASTER)
    assert path.read_bytes() == content


def test_a_lost_ring_is_told(tmp_path):
    with pytest.raises(StoreUnreadable, match="newest copy"):
        open_ring(tmp_path / "keys.ring", MASTER)


def test_another_master_key_wraps_the_same_keys(tmp_path):
    path = tmp_path / "keys.ring"
    ring = create_ring(path, MASTER)
    name, box = ring.choose("person:ann")
    sealed = box.encrypt(b"n" * 12, b"hello", None)
    assert ring.rewrap(OTHER) == 1
    with pytest.raises(StoreError):
        open_ring(path, MASTER)
    again = open_ring(path, OTHER)
    assert again.find(name).decrypt(b"n" * 12, sealed, None) == b"hello"
    assert again.choose("person:ann")[0] == name
    assert ring.choose("person:new")[0] in open_ring(path, OTHER).names_of(["person:new"])


def test_a_copy_is_the_same_ring_and_overwrites_nothing(tmp_path):
    path, copy = tmp_path / "keys.ring", tmp_path / "apart" / "copy.ring"
    ring = create_ring(path, MASTER)
    ring.choose("person:ann")
    ring.destroy([ring.choose("person:bob")[0]])
    assert copy_ring(path, copy) == 1
    assert count_keys(copy) == (1, 1)
    assert read_ring_id(copy) == ring.id
    with pytest.raises(InvalidRequest):
        copy_ring(path, copy)
    with pytest.raises(InvalidRequest):
        create_ring(path, MASTER)


def test_a_retired_key_seals_nothing_more_and_still_opens(tmp_path):
    ring = create_ring(tmp_path / "keys.ring", MASTER)
    name, _ = ring.choose("person:ann")
    ring.retire(ring.names_of(["person:ann"]))
    assert ring.choose("person:ann")[0] != name
    assert ring.find(name) is not None


def test_a_master_key_file_is_made_once_and_read_by_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "master.key"
    create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_key_file(path)) == 32
    with pytest.raises(InvalidRequest):
        create_key_file(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize("text", ["", "hello", "instar-key-1:short", "instar-key-2:" + "A" * 43])
def test_what_is_no_master_key_is_refused_and_not_repeated(text):
    with pytest.raises(ConfigError) as told:
        parse_key(text, source="KEY")
    assert not text or text not in str(told.value).replace("instar-key-1:…", "")


def test_a_drawn_key_is_read_back():
    assert len({parse_key(draw_key(), source="KEY") for _ in range(10)}) == 10


def test_a_missing_key_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_key_file(tmp_path / "none")
