"""SIP (RFC 3261) over aiosipua's messages, SDP and digest: transport, transactions, endpoint, legs."""
