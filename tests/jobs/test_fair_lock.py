"""A lock whose owners take turns."""

import asyncio

from server.jobs.fair_lock import FairLock


def test_owners_take_turns() -> None:
    order: list[str] = []

    async def take(lock: FairLock, owner: str, count: int) -> None:
        for _ in range(count):
            async with lock.hold(owner):
                order.append(owner)
                await asyncio.sleep(0)

    async def test() -> None:
        lock = FairLock()
        await asyncio.gather(take(lock, "many", 20), take(lock, "many", 20), take(lock, "few", 2))

    asyncio.run(test())
    # The first owner's two requests came first; then the owners alternate.
    assert [i for i, owner in enumerate(order) if owner == "few"] == [2, 5]


def test_a_cancelled_turn_goes_to_the_next_owner() -> None:
    async def test() -> None:
        lock = FairLock()
        async with lock.hold("a"):
            waiting = asyncio.create_task(lock.hold("b").__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(10), lock.hold("c"):
            pass

    asyncio.run(test())
