"""Manage SGLang as a child process: start it from its own virtual environment, watch it, restart it when it dies.

    managed = ManagedSglang(ManagedOptions(Path(".../sglang/venv/bin/python")))
    managed.start()
    await managed.wait_until_ready()
    sglang = Sglang(SglangOptions(managed.url, managed.model))
    await managed.aclose()

It listens on loopback only, and ends with this process, however that ends (`guard`). Linux only.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from enhancer.backoff import Backoff
from enhancer.child import exit_name
from enhancer.errors import Unavailable
from enhancer.guarded_process import GuardedProcess, start_guarded
from enhancer.line_log import LineLog

log = logging.getLogger("ltx23.sglang")

NAME = "the prompt enhancer's language model"
HOST = "127.0.0.1"

# Delays before the next start.
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0, 300.0)

# A process that was ready for this long resets the back-off.
STABLE_S = 60.0

# Its share is of the memory that is free when it starts. The first start comes before the pipeline, and the default is
# of an empty card; at any other the pipeline holds most, and `max_total_tokens` alone says how much is taken.
RESTART_MEM_FRACTION = 0.8

# Seconds between two readiness checks, and for each answer.
POLL_S, ANSWER_S = 0.5, 5.0


@dataclass(frozen=True)
class ManagedOptions:
    """python: of the virtual environment that has SGLang. model: a folder or an id on the hub.

    port: 0 picks a free one. extra_args: for `sglang.launch_server`, after all others.
    ready_timeout_s: the first start may fetch the model. grace_s: SGLang checks for SIGTERM every 5 s.
    The defaults share a card of 96 GB with the pipeline: 6.4 GB of weights, 1.9 GB of KV cache.
    """

    python: Path
    model: str = "meta-llama/Llama-3.2-3B-Instruct"
    port: int = 0
    context_length: int = 4096
    max_total_tokens: int = 16384
    mem_fraction_static: float = 0.12
    max_running_requests: int = 8
    max_queued_requests: int = 32
    extra_args: tuple[str, ...] = ()
    ready_timeout_s: float = 1800.0
    grace_s: float = 8.0


class ManagedStatus(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # it was ready once, or is being restarted
    FAILED = "failed"  # its last start failed; another follows
    CLOSED = "closed"


@dataclass(frozen=True)
class ManagedState:
    """reason: why it is not ready, if known; a sentence that clients may read."""

    status: ManagedStatus
    reason: str | None = None
    restarts: int = 0


class ManagedSglang:
    """A managed SGLang. `on_change` is called with every new state.

    Only `wait_until_ready` raises what SGLang does wrong.
    """

    def __init__(
        self,
        options: ManagedOptions,
        on_change: Callable[[ManagedState], None] = lambda state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._on_change, self._clock = options, on_change, clock
        self._port = options.port or _free_port()
        self._state = ManagedState(ManagedStatus.STARTING)
        self._settled: asyncio.Future[None] | None = None  # set by each process: ready or failed
        self._supervisor: asyncio.Task[None] | None = None
        self._backoff = Backoff(RESTART_BACKOFF_S)

    @property
    def url(self) -> str:
        """The address, which never changes."""
        return f"http://{HOST}:{self._port}"

    @property
    def model(self) -> str:
        return self._options.model

    @property
    def state(self) -> ManagedState:
        return self._state

    def start(self) -> None:
        """Start in the background. Needs a running event loop."""
        if self._supervisor is None:
            self._settled = asyncio.get_running_loop().create_future()
            self._supervisor = asyncio.create_task(self._supervise(), name="sglang")

    async def wait_until_ready(self) -> None:
        """Wait for the current start, or the next one. Raises Unavailable if it fails; others follow."""
        if self._state.status is not ManagedStatus.READY and self._settled is not None:
            await asyncio.shield(self._settled)
        if self._state.status is not ManagedStatus.READY:
            raise Unavailable(self._state.reason or f"{NAME} is not started")

    async def aclose(self) -> None:
        """End it; nothing of it is left afterwards."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
        self._set_state(ManagedStatus.CLOSED, f"{NAME} is closed")
        self._settle()

    async def _supervise(self) -> None:
        """Run one process after the other, until cancelled."""
        while True:
            reason = await self._run_once()
            was_ready = self._state.status is ManagedStatus.READY
            self._set_state(ManagedStatus.RESTARTING if was_ready else ManagedStatus.FAILED, reason)
            self._settle()
            delay_s = self._backoff.fail()
            log.error("%s; it is started again in %g s", reason, delay_s)
            await asyncio.sleep(delay_s)
            self._set_state(ManagedStatus.RESTARTING, reason, self._state.restarts + 1)

    async def _run_once(self) -> str:
        """Run one process; return why it ended."""
        lines = LineLog(log)
        try:
            process = start_guarded(self._command(), self._options.grace_s, lines.feed)
        except OSError as exc:
            log.error("no process can be started: %s", exc)
            return f"{NAME} cannot be started"
        try:
            if not await self._wait_until_it_answers(process):
                return f"{NAME} was not ready within {self._options.ready_timeout_s:g} s"
            if process.has_ended:
                return f"{NAME} ended with {exit_name(await process.wait())} while it started"
            await self._run_until_end(process)
            return f"{NAME} ended with {exit_name(await process.wait())}"
        finally:
            await process.end()
            lines.close()

    async def _wait_until_it_answers(self, process: GuardedProcess) -> bool:
        """Return False if it takes too long. It may have ended as well."""
        try:
            async with asyncio.timeout(self._options.ready_timeout_s):
                while not process.has_ended and not await _is_ready(self._port):
                    await process.has_ended_within(POLL_S)
        except TimeoutError:
            return False
        return True

    async def _run_until_end(self, process: GuardedProcess) -> None:
        begun = self._clock()
        self._set_state(ManagedStatus.READY)
        log.info("%s is ready on %s", NAME, self.url)
        self._settle()
        await process.wait()
        if self._clock() - begun >= STABLE_S:
            self._backoff.reset()

    def _set_state(self, status: ManagedStatus, reason: str | None = None, restarts: int | None = None) -> None:
        self._state = ManagedState(status, reason, self._state.restarts if restarts is None else restarts)
        asyncio.get_running_loop().call_soon(self._on_change, self._state)

    def _settle(self) -> None:
        """Tell everyone who waits; later callers wait for the next result."""
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        is_closed = self._state.status is ManagedStatus.CLOSED
        self._settled = None if is_closed else asyncio.get_running_loop().create_future()

    def _command(self) -> list[str]:
        options = self._options
        is_first = self._state.status is ManagedStatus.STARTING
        flags: dict[str, object] = {
            "--model-path": options.model,
            "--host": HOST,
            "--port": self._port,
            "--context-length": options.context_length,
            "--max-total-tokens": options.max_total_tokens,
            "--mem-fraction-static": options.mem_fraction_static if is_first else RESTART_MEM_FRACTION,
            "--max-running-requests": options.max_running_requests,
            "--max-queued-requests": options.max_queued_requests,
            # Readiness checks would fill the log.
            "--log-level-http": "warning",
        }
        words = [str(word) for flag in flags.items() for word in flag]
        return [str(options.python), "-P", "-m", "sglang.launch_server", *words, *options.extra_args]


async def _is_ready(port: int) -> bool:
    """Ask without the client, which logs each of its calls."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(f"GET /ready HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
                return (await reader.readline()).split()[1:2] == [b"200"]
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, ValueError):
        return False


def _free_port() -> int:
    """Return a port that is free now. If it is taken when SGLang starts, that start fails and the next retries."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
