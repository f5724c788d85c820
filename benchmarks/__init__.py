"""Benchmarks behind the figures in docs/. Each prints its figures, with a ratio to something real."""
