"""Fixtures for async tests, and the check that no process, thread or descriptor is left behind."""

from tests.jobs.conftest import nothing_is_left, pytest_pyfunc_call

__all__ = ["nothing_is_left", "pytest_pyfunc_call"]
