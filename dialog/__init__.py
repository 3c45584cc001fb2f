"""Owns the conversation: events, state, policy, flows, replies, hand-over, history."""
