"""Shipped twins of every port, for tests of Instar and of what is built on it.

Each twin passes the same contract suite (`tests/contract`) as the real part it stands for.
"""
