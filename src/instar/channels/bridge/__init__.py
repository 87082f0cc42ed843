"""A channel for any program in any language that speaks HTTP: it posts what people write and fetches what they get.

`docs/howto/bridge-any-program.md` tells how to use it; `examples/bridge` has one in Python and one in shell.
"""
