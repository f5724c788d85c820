"""What this process takes of the host's memory."""

import psutil

from server.messages import Memory


def host_memory() -> Memory:
    return Memory(psutil.Process().memory_info().rss)
