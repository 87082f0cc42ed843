"""What to do with a message while a turn runs: wait, steer, collect, interrupt, fan out (QUEUE-*).

What belongs here: the state of one lane as a value, and the decisions over it. What does not: running a turn, timers,
the inbox rows; those are the gateway's. The invariant: every accepted message ends exactly once, in arrival order
(LOSS-2).
"""
