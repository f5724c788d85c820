"""Measure the host memory that this process uses."""

import psutil

from server.worker.messages import Memory


def host_memory() -> Memory:
    return Memory(psutil.Process().memory_info().rss)
