"""The standard streams and the bytes of the command line: neither ends a command with a traceback."""

import io
import os
import sys

from pipelines.errors import SpecError


def prepare_streams() -> None:
    """Put /dev/null in the place of closed streams, and escape characters that a stream's encoding does not have."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number, which a database or a socket would get otherwise.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_stdout(code: int) -> int:
    """Return the exit code of a command: 1 in place of `code` when its output could not be written."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        if not isinstance(exc, BrokenPipeError):
            print(f"ltx23: error: stdout cannot be written: {exc.strerror}", file=sys.stderr)
        # Python flushes once more when it exits.
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return 1
    return code


def decode_prompt(text: str) -> str:
    """Return a prompt of the command line as UTF-8, whatever the locale is. Raise SpecError when it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Python keeps the bytes that the locale's encoding does not have as lone surrogates.
        try:
            return os.fsencode(text).decode()
        except UnicodeError as exc:
            raise SpecError("prompt", "should be UTF-8 text") from exc
    return text
