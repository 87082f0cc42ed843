"""Every decision, as plain functions over plain values.

What belongs here: rules that take values in and give a value out. What does not: awaiting, opening,
logging, reading a clock, drawing an id. The invariant: the same arguments give the same answer, on
every machine and at every time, so each rule can be checked by vectors and properties alone.
"""
