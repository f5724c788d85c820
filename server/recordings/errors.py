"""Errors of recordings, whose messages name the folder, the file or the line."""


class RecordingError(Exception):
    """A recording cannot be read or written, or an upstream address cannot be used."""
