"""Which agent, which session, which person: from what a platform says to a session key.

`route` answers all of it for one message. `key` owns the grammar of keys, `segment` what may stand in one
part of them, `normalize` the spelling of ids, `identity` who is the same person, `bindings` which agent
answers. What does not belong here: whether a message is admitted (policy) and where a reply goes (delivery).
The invariant: the same message under the same settings always gives the same key, and no id that a stranger
can choose gives the key of another conversation (KEY-12, LEAK-1).
"""
