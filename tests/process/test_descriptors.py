import resource
from collections.abc import Iterator

import pytest

from server.process.descriptors import RESERVED, WANTED, fit_connections, raise_descriptor_limit

SOFT = 512


@pytest.fixture(autouse=True)
def low_limit() -> Iterator[int]:
    """Lower the soft limit of this process for one test; yield the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_is_raised_to_the_hard_limit(low_limit: int) -> None:
    expected = WANTED if low_limit == resource.RLIM_INFINITY else min(low_limit, WANTED)
    assert raise_descriptor_limit() == expected
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (expected, low_limit)


def test_connections_leave_descriptors_for_files() -> None:
    limit = raise_descriptor_limit()
    assert fit_connections(10) == 10
    assert fit_connections(limit) == limit - RESERVED
