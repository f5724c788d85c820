"""A pytest plugin: the fixture `ltx23_server` runs this server, with its tiny model, for tests of a client.

A package of its own, which imports nothing of the server: pytest loads it in every project of an environment, and a
project may have its own package named `server`.
"""

from ltx23_pytest.process import ServerFailed
from ltx23_pytest.server import Ltx23Server, ReceivedRequest

__all__ = ["Ltx23Server", "ReceivedRequest", "ServerFailed"]
