"""Workers that send heartbeats, and one that stops sending them."""

from server.worker.messages import Ready
from tests.jobs.conftest import Dispatching, Started, has_ended, outcome
from tests.telemetry.test_metrics import value


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
