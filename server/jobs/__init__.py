"""Clips that were asked for: who waits, who runs, and the workers that render them."""
