"""Edge: SIP and RTP. Turns a phone call into a `voice_gateway.api.Call`."""
