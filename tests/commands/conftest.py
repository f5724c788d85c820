"""Servers with keys, which the tests of the HTTP interface have, too."""

from tests.http.conftest import guarded

__all__ = ["guarded"]
