"""Values that several tests need, built with as few words as possible. Typed strictly, unlike the tests."""
