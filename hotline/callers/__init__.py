"""Simulated callers: people with a purpose, a voice and a telephone, for the demo and the benchmarks."""
