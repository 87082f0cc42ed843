"""What must not come back after an erasure, without saying what it is (LEAK-11)."""

from __future__ import annotations

from instar.core.policy.erased import hash_id, hash_ids


def test_an_id_is_known_again_in_any_case_of_letters_under_its_salt_only():
    assert hash_id("Chat:Ann", salt="s") == hash_id(" chat:ann ", salt="s")
    assert hash_id("chat:ann", salt="s") != hash_id("chat:ann", salt="t")
    assert "ann" not in hash_id("chat:ann", salt="s")


def test_ids_are_hashed_under_every_salt_in_use():
    assert hash_ids(["a", "b"], salts=iter(["s", "t"])) == {hash_id(text, salt=salt) for text in "ab" for salt in "st"}
    assert hash_ids(["a"], salts=[]) == frozenset()
