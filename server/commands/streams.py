"""Keep standard streams and undecodable arguments from ending a command with a traceback."""

import io
import os
import sys

from pipelines.errors import SpecError


def prepare_streams() -> None:
    """Open /dev/null in place of closed streams, and escape characters that a stream's encoding lacks."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # This takes the lowest free number, which a database or a socket would get otherwise.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_stdout(code: int) -> int:
    """Return the exit code of a command: `code`, or 1 if its output could not be written."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        if not isinstance(exc, BrokenPipeError):
            print(f"ltx23: error: stdout cannot be written: {exc.strerror}", file=sys.stderr)
        # Python flushes again when it exits.
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return 1
    return code


def decode_prompt(text: str, field: str = "prompt") -> str:
    """Return a prompt of the command line as UTF-8, whatever the locale is. Raises SpecError if it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Python keeps bytes that the locale's encoding lacks as lone surrogates.
        try:
            return os.fsencode(text).decode()
        except UnicodeError as exc:
            raise SpecError(field, "should be UTF-8 text") from exc
    return text
