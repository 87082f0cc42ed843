"""Canaries: each person says a word that nobody else may ever see, and every way out is watched for it (LEAK-*).

From one seed a script is drawn: people with addresses on several channels, some of them linked, groups, scopes of
sessions, agents, and what they do. It is played on a gateway in memory, with clients that hold tokens of these people
behind the real gate. Model requests, tool results, replies, answers and events for clients, decisions and the log are
searched for words that reached someone else's session, chat or client.

    python -m instar.testing.leaks --seeds 2000
"""
