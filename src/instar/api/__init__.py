"""How programs reach the gateway: WebSocket, HTTP, and one gate in front of both."""
