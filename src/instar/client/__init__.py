"""The Python client of a running gateway, over its public protocol only.

`client.GatewayClient` is for programs that stay (asyncio, events, reconnects); `blocking.BlockingClient` for those that
ask and end; `discovery` finds the gateway of this machine.
"""
