"""How an answer leaves: where it goes, in which pieces, and what becomes of it when sending fails.

What does not belong here: whether it may leave at all; that is `instar.core.policy.send`.
"""
