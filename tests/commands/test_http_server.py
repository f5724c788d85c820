import socket

import pytest

from server.commands.http_server import listen
from server.settings import SettingsError, load_settings


@pytest.mark.parametrize("host", ["", "a" * 64 + ".invalid", "192.0.2.1"])
def test_a_host_that_cannot_be_bound_is_named(host: str) -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on .* choose another --host"):
        listen(load_settings(host=host, port=0, allow_no_key=True))


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}: .* choose another --port"):
            listen(load_settings(port=port))
