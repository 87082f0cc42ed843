"""Runners: one model request in, a stream of events out. They know providers and nothing of sessions.

`echo` answers without a model, `model` asks one over its provider's wire format, `fallback` repeats and replaces;
`factory` puts them together. What goes to a provider is built from the core's messages in `messages`.
"""
