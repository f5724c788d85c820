"""Workers that send heartbeats, and one that stops sending them."""

from pathlib import Path

from server.jobs.worker_process import run_worker
from server.worker.messages import Memory, Ready, WorkerConfig
from tests.jobs.conftest import Dispatching, Started, has_ended, outcome
from tests.telemetry.test_metrics import value
from weights.tiny import TinyFiles


async def test_a_silent_worker_is_killed_and_replaced(dispatching: Dispatching, started: Started) -> None:
    async with dispatching("falls_silent", heartbeat_s=2) as rig:
        await rig.told(Ready)
        job, following = rig.submit("stop"), rig.submit("quick")
        await job.begun.wait()
        first = started()

        assert [await outcome(job), await outcome(following)] == ["RenderFailed", "done"]
        assert all(map(has_ended, first))
        assert rig.dispatcher.status.restarts >= 1
        assert value(rig.metrics, "ltx23_worker_kills_total", reason="silent")


async def test_a_render_may_take_longer_than_the_heartbeat_limit(dispatching: Dispatching) -> None:
    async with dispatching("falls_silent", heartbeat_s=1.5) as rig:
        await rig.told(Ready)

        assert await outcome(rig.submit("slow")) == "done"


async def test_the_worker_sends_heartbeats_while_it_loads(cache_dir: Path, tiny: TinyFiles) -> None:
    async with run_worker(WorkerConfig(cache_dir)) as worker:
        heard = []
        while not isinstance(message := await worker.receive(), Ready):
            heard.append(message)
        worker.kill()
    assert any(isinstance(message, Memory) and message.resident_bytes > 0 for message in heard)
