"""Clips that are rendered while nobody waits: their records, files and lives, across restarts. Knows no HTTP."""
