"""What the gateway needs from the world, as Protocols; no code.

A port is kept by more than one implementation, and by a twin in `instar.testing`; the contract suites in
`tests/contract` run over all of them.
"""
