"""The program: CLI, settings, wiring (the one composition root), simulated callers."""

__version__ = "0.1.0"
