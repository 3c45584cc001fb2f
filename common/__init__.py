"""Technical ground: settings, errors, asyncio helpers, audio, auth, privacy, telemetry, rpc and storage.

Imports nothing of the floors above it.
"""
