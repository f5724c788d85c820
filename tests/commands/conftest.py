"""Servers with keys, and one in a rehearsal, which the tests of HTTP and of the client have, too."""

from tests.http.conftest import guarded
from tests.python_client.conftest import rehearsal

__all__ = ["guarded", "rehearsal"]
