"""Serves GraphQL: requests in, answers out, over HTTP, server-sent events and WebSocket."""
