"""Send thousands of requests of every kind to a real server: `python -m tests.fuzz [--calls N] [--seed N]`.

Ends with exit code 1 if a request gets no answer, or a status of 500 or above other than 503 and 504, or if memory,
open files or folders of jobs grow in the server or its worker.
"""

import argparse
import os
import platform
import shlex
import sys
import time

from benchmarks.growth import describe, slope_bytes_per_call
from benchmarks.running_server import RunningServer, running_server
from tests.fuzz.calls import Fuzzed
from tests.fuzz.families import FAMILIES, fuzz, settle

# A leak of one small body per call is above this; the growth of an allocator's caches is below.
MAX_GROWTH_BYTES_PER_CALL = 2000
MAX_NEW_FILES = 4


def judge(fuzzed: Fuzzed, server: RunningServer) -> list[str]:
    wrong = list(fuzzed.wrong)
    for name, samples in (("server", fuzzed.growth.server), ("worker", fuzzed.growth.longest_worker)):
        if slope_bytes_per_call(samples) > MAX_GROWTH_BYTES_PER_CALL:
            wrong.append(f"the {name}'s memory grows: {describe(name, samples)}")
        if samples[-1].open_files > samples[0].open_files + MAX_NEW_FILES:
            wrong.append(f"the {name}'s open files grow: {describe(name, samples)}")
    if server.temp_files():
        wrong.append(f"{server.temp_files()} folders of jobs are left")
    return wrong


def print_table(fuzzed: Fuzzed, server: RunningServer, seconds: float) -> None:
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {seconds:.0f} s\n")
    print("| calls | how many | answers |\n|---|---|---|")
    for family in FAMILIES:
        statuses = {status: count for (name, status), count in sorted(fuzzed.answers.items()) if name == family}
        print(f"| {family} | {sum(statuses.values())} | {', '.join(f'{s}: {n}' for s, n in statuses.items())} |")
    print(f"\n{fuzzed.calls} calls, {sum(fuzzed.answers.values())} answers; folders of jobs {server.temp_files()}")
    print(describe("server", fuzzed.growth.server))
    print(describe(f"worker ({len(fuzzed.growth.workers)} in all)", fuzzed.growth.longest_worker))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("$ python -m tests.fuzz " + shlex.join(sys.argv[1:]), flush=True)
    # Clips that are large all the same are refused or stopped, and both are valid answers.
    with running_server("--vram", "1", LTX23_DEADLINE_S="20") as server:
        fuzzed, begun = Fuzzed(server), time.monotonic()
        fuzz(server.url, fuzzed, options.calls, options.seed)
        settle(server.url)
        fuzzed.sample()
        print_table(fuzzed, server, time.monotonic() - begun)
        wrong = judge(fuzzed, server)
    for text in wrong:
        print(f"WRONG: {text}")
    print("no answer was wrong, and nothing grows" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
