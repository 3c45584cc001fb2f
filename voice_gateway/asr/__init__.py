"""Ears: streaming speech recognition."""
