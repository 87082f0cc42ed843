"""The command line: arguments in, text or one JSON document out; everything it knows it asks of a gateway.

Each command is a module of `commands`, imported when it is called. Where no gateway answers, what only reads is read
from the database (`offline`, CLI-28).
"""
