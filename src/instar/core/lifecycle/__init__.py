"""How long a session lives: freshness, resets, and which stored sessions maintenance may take.

What belongs here: decisions about the life of one session key over time. What does not: which key a message belongs
to (`instar.core.routing`), and what a transcript holds (`instar.core.transcript`).
"""
