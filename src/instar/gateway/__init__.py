"""The imperative shell: load, decide, act, record.

What belongs here: the order of awaits around a message. What does not: rules (they are in `core`) and anything that
knows a concrete store, channel, runner or tool (`app` hands those in). The invariant: no transaction is open while a
model, a tool or a channel is awaited (LOSS-3).
"""
