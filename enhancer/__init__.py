"""Prompt enhancement: words in, words out. Knows no pipeline and no HTTP server."""
