"""The nouns of Instar: ids, messages, sessions, transcript entries, decisions.

What belongs here: frozen values and the closed sets they are drawn from. What does not: any rule that
compares two of them; that lives in the room which owns the question.
"""
