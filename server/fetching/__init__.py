"""Fetch missing weights while the server starts."""
