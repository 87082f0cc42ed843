"""Where people write from: one folder for each kind of channel, found by name (style, section 10).

A channel turns a platform's events into `Inbound` and `Outbound` into the platform's calls. It knows no sessions, no
other channel, and reaches the gateway through the context it is started with.
"""
