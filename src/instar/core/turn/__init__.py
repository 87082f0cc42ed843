"""What each transaction of a turn writes: accept, begin, step, tool result, finish (design, section 2; LOSS-3).

What belongs here: the answers of the other rooms (route, access, freshness, send policy, where a reply goes) put
together into one `SessionChange`. What does not: awaiting anything in between; that is `instar.gateway.turn`.
The invariant: after every one of these changes the store tells the whole story so far, so that a turn can go on
from it after a crash.
"""
