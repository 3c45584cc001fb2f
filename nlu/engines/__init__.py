"""Engines of understanding: what names an intent, what finds entities. One file a way of doing it."""
