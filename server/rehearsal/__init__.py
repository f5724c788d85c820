"""Rehearsals: answers that fail as a client asks for in a header, or as a file says."""
