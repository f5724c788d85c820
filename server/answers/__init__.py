"""Answers: clips, videos and errors as JSON, headers and files."""
