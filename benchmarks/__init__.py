"""Benchmarks for the figures in docs/. Each prints its figures, with a ratio to a baseline."""
