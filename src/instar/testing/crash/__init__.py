"""Real crashes: a gateway as a process, many senders, ``kill -9`` again and again, then the reckoning (LOSS-1, 4, 5).

``python -m instar.testing.crash --kills 300`` (or ``make crash KILLS=300``) starts the gateway that people start, on a
database file, with a model behind HTTP that streams. Senders post over bridges and over the WebSocket and repeat each
message until it is acknowledged, as LOSS-1 asks of them; receivers fetch the replies. At random moments the process is
killed, its files may be harmed, and it is started again. After each kill a copy of the database is checked; at the end
what every sender was told is held against what is stored and what was sent::

    acknowledged = stored once = answered once
"""
