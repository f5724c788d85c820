"""The fixtures. pytest imports this module by the entry point `pytest11`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ltx23_pytest.process import ServerProcess
from ltx23_pytest.scenario import write_scenario
from ltx23_pytest.server import Ltx23Server

MARKER = (
    "ltx23_server(*, scenario=None, fresh=False, **settings): how `ltx23_server` is started, by the names in "
    "`ltx23 serve --help`; scenario: which requests fail; fresh: a server for this test alone"
)

StartServer = Callable[..., Ltx23Server]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def ltx23_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Return a function that starts a server, with settings by name, or returns the running one that has the same.

    The servers stop at the end of the session.
    """
    with ExitStack() as stack:
        running: dict[str, ServerProcess] = {}

        def start(**settings: Any) -> Ltx23Server:
            key = repr(sorted(settings.items()))
            if key not in running:
                running[key] = stack.enter_context(_process(tmp_path_factory, settings))
            return Ltx23Server(running[key])

        yield start


@pytest.fixture(scope="session")
def _ltx23_scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the file with the scenario of the current test."""
    return tmp_path_factory.mktemp("ltx23-scenarios")


@pytest.fixture
def ltx23_server(
    request: pytest.FixtureRequest,
    ltx23_servers: StartServer,
    _ltx23_scenarios: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ltx23Server]:
    """Return a running server with the tiny model. The marker `ltx23_server` chooses its settings."""
    marker = request.node.get_closest_marker("ltx23_server")
    settings = dict(marker.kwargs) if marker else {}
    if marker and marker.args:
        raise pytest.UsageError("the marker ltx23_server takes settings by name, such as queue_size=0")
    scenario = settings.pop("scenario", None)
    if scenario is not None:
        # Each test writes the file anew, and the server reads it again.
        path = _ltx23_scenarios / "scenario.toml"
        write_scenario(path, scenario)
        settings |= {"rehearsal": True, "rehearsal_file": path}
    if settings.pop("fresh", False):
        with _process(tmp_path_factory, settings) as process:
            yield Ltx23Server(process)
    else:
        yield ltx23_servers(**settings)


@contextmanager
def _process(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("ltx23"), settings)
    try:
        yield process
    finally:
        process.stop()
