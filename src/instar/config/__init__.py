"""From a file and the environment to one frozen configuration.

What belongs here: reading, checking and explaining settings in every accepted spelling. What does not: deciding
anything with them; each room of the core defines the settings value it needs, and `sections` fills it. The
invariant: a file that cannot be used changes nothing, and the error names the place (CFG-2).
"""
