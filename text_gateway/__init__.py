"""Edge: text channels (REST, WebSocket, gRPC Chat) over the same dialog as voice."""
