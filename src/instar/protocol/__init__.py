"""The wire: frames, methods, events and error codes, shared by the server, the client and the docs.

Pure tables and pure functions; what a method does is in `instar.api.handlers`.
"""
