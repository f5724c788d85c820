"""Async tests, the rule that nothing is left behind, and what the language model's texts are made of."""

from tests.jobs.conftest import nothing_is_left, pytest_pyfunc_call, started

__all__ = ["nothing_is_left", "pytest_pyfunc_call", "started"]
