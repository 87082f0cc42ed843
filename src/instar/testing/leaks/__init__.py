"""Canaries: each person says a word that nobody else may ever see, and every way out is watched for it (LEAK-*).

From one seed a script is drawn: people with addresses on several channels, some of them linked, groups, scopes of
sessions, agents, and what they do. It is played on a gateway in memory with a state directory of its own, and with
clients that hold tokens of these people behind the real gate. Model requests, tool results, replies, answers and events
for clients, lists and their counts, every row, every file and the log are searched for words that reached someone
else's session, chat, client or file; names and ids of people count as such words too, wherever they have not written.

The owner exports people, erases them, makes backups, brings transcripts in, deletes sessions and restores them, and
whoever asks for the same without being the owner has to be refused. What somebody said who was erased goes nowhere any
more, and is in no byte of the rows and files but those that the receipt names. In a third of all scripts words are
encrypted: then none is readable in any byte, but in exports.

A method, a tool, a table and a file are in every script by existing: none is named here.

    make leaks SEEDS=2000
    python -m instar.testing.leaks --seed 17
"""
