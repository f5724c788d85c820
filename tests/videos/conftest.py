"""Fixtures for async tests with a dispatcher, and the check that nothing is left behind."""

from tests.jobs.conftest import dispatching, nothing_is_left, pytest_pyfunc_call, started

__all__ = ["dispatching", "nothing_is_left", "pytest_pyfunc_call", "started"]
