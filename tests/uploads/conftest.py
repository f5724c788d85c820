"""The check that no process, thread or descriptor is left behind."""

from tests.jobs.conftest import nothing_is_left

__all__ = ["nothing_is_left"]
