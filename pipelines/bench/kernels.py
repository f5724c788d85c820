"""Turn recorded operations into the kernels that a card would run: one by one, or with chains fused."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pipelines.bench.cards import BANDWIDTH_REACH, GB, Card, Work
from pipelines.bench.recording import Operation

# No kernel takes less on a card, and the host needs as long to issue an operation of eager torch, or a view.
SHORTEST_US, OPERATION_US, VIEW_US = 2.5, 8.0, 2.0


class Kernel(NamedTuple):
    """One launch. host_us: what the host needs for it and for the views before it."""

    work: Work | None
    flops: int
    moved_bytes: int
    host_us: float

    def seconds(self, card: Card) -> float:
        """Return the time on the card: what takes longest of matrix work, memory and the shortest kernel."""
        work_s = self.flops / (card.peak_flops_per_s(self.work) * card.reach[self.work]) if self.work else 0.0
        return max(work_s, self.moved_bytes / (card.bandwidth_gb_s * GB * BANDWIDTH_REACH), 1e-6 * SHORTEST_US)


def eager_kernels(operations: Sequence[Operation]) -> list[Kernel]:
    """Return the kernels of operations that are issued one by one."""
    return [kernel for _, run in by_region(operations) for kernel in run[0].times * issue(run)]


def fused_kernels(operations: Sequence[Operation]) -> list[Kernel]:
    """Fuse the chains of every compiled region, in which views take no time; the rest is as in `eager_kernels`.

    A chain is what one operation hands on to the next between two matrix operations: elementwise operations and
    reductions of rows. It reads from memory what other kernels wrote, once, and writes what others read.
    """
    regions_reading: dict[int, set[int | None]] = defaultdict(set)
    for operation in operations:
        for access in operation.reads:
            regions_reading[access.value].add(operation.region)
    kernels = []
    for region, run in by_region(operations):
        once = issue(run) if region is None else fuse(run, regions_reading)
        kernels += run[0].times * once
    return kernels


def by_region(operations: Iterable[Operation]) -> Iterator[tuple[int | None, list[Operation]]]:
    for region, run in groupby(operations, lambda operation: operation.region):
        yield region, list(run)


def issue(operations: Iterable[Operation]) -> list[Kernel]:
    kernels, views = [], 0
    for operation in operations:
        if operation.is_view:
            views += 1
            continue
        moved = sum(access.size_bytes for access in (*operation.reads, *operation.writes))
        kernels.append(Kernel(operation.work, operation.flops, moved, OPERATION_US + views * VIEW_US))
        views = 0
    return kernels


def fuse(region: Sequence[Operation], regions_reading: Mapping[int, set[int | None]]) -> list[Kernel]:
    """Return the kernels of one region. regions_reading: by value."""
    operations = [operation for operation in region if not operation.is_view]
    chain_of = find_chains(operations)
    chains: dict[int, list[Operation]] = defaultdict(list)
    readers: dict[int, set[int]] = defaultdict(set)
    for operation, chain in zip(operations, chain_of, strict=True):
        chains[chain].append(operation)
        for access in operation.reads:
            readers[access.value].add(chain)
    kernels = []
    for chain, members in chains.items():
        written = {access.value: access for member in members for access in member.writes}
        read: dict[int, int] = {}
        for access in (access for member in members for access in member.reads if access.value not in written):
            read[access.value] = max(access.size_bytes, read.get(access.value, 0))
        # Results that nothing reads are those of the whole.
        kept = (
            access.held_bytes
            for value, access in written.items()
            if readers[value] != {chain} or regions_reading[value] != {members[0].region}
        )
        kernels.append(Kernel(members[0].work, members[0].flops, sum(read.values()) + sum(kept), OPERATION_US))
    return kernels


def find_chains(operations: Sequence[Operation]) -> list[int]:
    """Return the index of the first operation of the chain that each operation is in."""
    first = list(range(len(operations)))
    # How many ends of chains lie before an operation. One that reads from a chain is part of it unless an end lies
    # between: x + f(x) needs another kernel than x if f multiplies matrices.
    level = [0] * len(operations)
    writer: dict[int, int] = {}

    def find(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    for index, operation in enumerate(operations):
        sources = [writer[access.value] for access in operation.reads if access.value in writer]
        level[index] = max((level[source] + operations[source].ends_chain for source in sources), default=0)
        for source in sources if operation.work is None else ():
            if level[source] == level[index] and not operations[source].ends_chain:
                earlier, later = sorted((find(source), find(index)))
                first[later] = earlier
        writer |= {access.value: index for access in operation.writes}
    return [find(index) for index in range(len(operations))]
