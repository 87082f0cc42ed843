"""The tests. A package only so that `tests.builders` is found wherever pytest is started from."""
