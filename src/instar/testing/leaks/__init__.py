"""Canaries: each person says a word that nobody else may ever see, and every way out is watched for it (LEAK-*).

From one seed a script is drawn: people with addresses on several channels, some of them linked, groups, scopes of
sessions, agents, and what they do. It is played on a gateway in memory with a state directory of its own, and with
clients that hold tokens of these people behind the real gate. Model requests, tool results, replies, answers and events
for clients, lists and their counts, every row, every file and the log are searched for words that reached someone
else's session, chat, client or file; names and ids of people count as such words too, wherever they have not written.

A method, a tool, a table and a file are in every script by existing: none is named here.

    make leaks SEEDS=2000
    python -m instar.testing.leaks --seed 17
"""
