"""Wire formats of model providers, from the provider's side: what `instar.testing.model_server` speaks.

One module per format, each a `Dialect`: it reads a request into `Asked`, refuses what its provider refuses, and writes
a `Reply` or a `Fault` as its provider would.
"""
