"""Put a server under every kind of load at once: `python -m benchmarks.soak [--clips N] [--seed N] [--kills N]`.

Several clients ask for clips of the tiny model, half of them from an image, while workers are killed, clients
disconnect, bodies are wrong, and bursts of ten times the queue's size arrive. Every request has to be answered; only a
clip whose worker was killed may fail. Otherwise the exit code is 1. The seed determines the order of requests and the
moments of the kills.
"""

import argparse
import base64
import io
import json
import os
import platform
import random
import shlex
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from PIL import Image

from benchmarks.growth import Growth, describe
from benchmarks.running_server import RunningServer, running_server

CLIENTS = 4
QUEUE_SIZE = 8
BURST = 10 * (QUEUE_SIZE + 1)
RETRY_S = 0.5
# Calls between two samples of memory and files.
SAMPLE_EVERY = 10

# One on the device, and one whose file is being finished.
CLIPS_OF_A_WORKER = 2

CLIP = {"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}
BAD_BODIES = (
    b"",
    b"{",
    b"[" * 100_000,
    b'{"prompt": ""}',
    b'{"prompt": "a fox", "width": "wide"}',
    b'{"prompt": "a fox", "input_image_b64": "R0lGODlh"}',
)
KILLED = "the worker process ended while it rendered this clip"


@dataclass(frozen=True)
class Step:
    """One step of the plan. `moment` and `choice` (0 to 1) select when something happens, and to what."""

    kind: str
    moment: float
    choice: float


@dataclass(frozen=True)
class Plan:
    """The order of requests and faults, determined by the seed alone."""

    clips: int
    seed: int
    kills: int
    bursts: int

    def steps(self) -> list[Step]:
        """Return the steps (clip, bad, gone, kill, burst): `clips` clips, with the others in between."""
        order = random.Random(self.seed)
        others = ["bad"] * (self.clips // 5) + ["gone"] * (self.clips // 10)
        rest = ["clip"] * self.clips + others + ["kill"] * self.kills + ["burst"] * self.bursts
        order.shuffle(rest)
        return [Step(kind, order.random(), order.random()) for kind in rest]


@dataclass
class Ledger:
    """Every request and its outcome."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    kills: int = 0
    clips: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_sent(self, kind: str) -> None:
        with self.lock:
            self.sent[kind] += 1

    def count_answered(self, kind: str, outcome: str) -> None:
        with self.lock:
            self.answered[kind, outcome] += 1
            self.clips += kind == "clip" and outcome == "200"

    def complain(self, text: str) -> None:
        with self.lock:
            self.wrong.append(text)

    @property
    def lost(self) -> int:
        return sum(self.sent.values()) - sum(self.answered.values())


class Soak:
    def __init__(self, server: RunningServer, plan: Plan) -> None:
        self._server, self._plan = server, plan
        self._address = urlsplit(server.url).netloc
        self.ledger, self.growth = Ledger(), Growth()

    def run(self) -> None:
        actions: dict[str, Callable[[Step], None]] = {
            "clip": self._clip,
            "bad": self._bad,
            "gone": self._gone,
            "kill": self._kill,
            "burst": self._burst,
        }
        with ThreadPoolExecutor(CLIENTS) as clients:
            for count, _ in enumerate(clients.map(lambda step: actions[step.kind](step), self._plan.steps())):
                if count % SAMPLE_EVERY == 0:
                    self.sample()

    def sample(self) -> None:
        self.growth.sample(self._server, sum(self.ledger.sent.values()))

    def wait_until_idle(self) -> dict[str, int]:
        """Return the queue once nothing waits or runs; the table shows anything left."""
        for _ in range(300):
            connection = HTTPConnection(self._address, timeout=60)
            connection.request("GET", "/health")
            queue: dict[str, int] = json.load(connection.getresponse())["queue"]
            connection.close()
            if not queue["depth"] and not queue["running"]:
                break
            time.sleep(RETRY_S)
        return queue

    def _clip(self, step: Step) -> None:
        """Retry after a 429 or 503, as a client does; do not send a killed clip again."""
        image = {"input_image_b64": photograph()} if step.moment < 0.5 else {}
        body = json.dumps(CLIP | {"generate_audio": step.choice < 0.5} | image).encode()
        while self._exchange("clip", body, {200, 429, 500, 503}) in (429, 503):
            time.sleep(RETRY_S)

    def _bad(self, step: Step) -> None:
        self._exchange("bad", BAD_BODIES[int(step.choice * len(BAD_BODIES))], {422, 503})

    def _gone(self, step: Step) -> None:
        """Disconnect in the middle, perhaps in the middle of the request."""
        body = json.dumps(CLIP).encode()
        head = f"POST /generate HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        message = head + body
        self.ledger.count_sent("gone")
        host, port = self._address.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(message[: int(step.choice * 2 * len(message))])
            time.sleep(step.moment)
        self.ledger.count_answered("gone", "left")

    def _kill(self, step: Step) -> None:
        time.sleep(step.moment)
        worker = self._server.worker
        if worker is not None:
            worker.kill()
            self.ledger.kills += 1

    def _burst(self, step: Step) -> None:
        body = json.dumps(CLIP | {"generate_audio": False}).encode()
        with ThreadPoolExecutor(BURST) as crowd:
            list(crowd.map(lambda _: self._exchange("burst", body, {200, 429, 500, 503}), range(BURST)))

    def _exchange(self, kind: str, body: bytes, allowed: set[int]) -> int | None:
        """Return the status, or None if there was no answer, which must not happen."""
        self.ledger.count_sent(kind)
        connection = HTTPConnection(self._address, timeout=600)
        try:
            connection.request("POST", "/generate", body)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as exc:
            self.ledger.complain(f"{kind}: no answer: {exc!r}")
            return None
        finally:
            connection.close()
        self.ledger.count_answered(kind, str(response.status))
        self._judge(kind, response.status, answer, allowed)
        return response.status

    def _judge(self, kind: str, status: int, answer: bytes, allowed: set[int]) -> None:
        if status not in allowed:
            self.ledger.complain(f"{kind}: answered {status}: {answer[:200]!r}")
        elif status == 500 and KILLED not in answer.decode():
            self.ledger.complain(f"{kind}: failed without a kill: {answer[:200]!r}")
        elif status == 200 and answer[4:8] != b"ftyp":
            self.ledger.complain(f"{kind}: 200 with what is no mp4: {answer[:40]!r}")


@cache
def photograph() -> str:
    """Return an image that takes a moment to prepare, as base64."""
    data = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize((1200, 900)).save(data, "JPEG")
    return base64.b64encode(data.getvalue()).decode()


def judge(soak: Soak, queue: dict[str, int], temp_files: int) -> list[str]:
    """Describe everything that is wrong."""
    ledger, wrong = soak.ledger, list(soak.ledger.wrong)
    failed = sum(count for (_, outcome), count in ledger.answered.items() if outcome == "500")
    if ledger.lost:
        wrong.append(f"{ledger.lost} requests were not answered")
    if failed > CLIPS_OF_A_WORKER * ledger.kills:
        wrong.append(f"{failed} clips failed for {ledger.kills} killed workers")
    if queue["depth"] or queue["running"]:
        wrong.append(f"the queue did not drain: {queue}")
    if temp_files:
        wrong.append(f"{temp_files} folders of jobs are left")
    return wrong


def print_table(soak: Soak, plan: Plan, queue: dict[str, int], temp_files: int, seconds: float) -> None:
    ledger = soak.ledger
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {plan}; {seconds:.0f} s\n"
    )
    print("| requests | sent | answered | how |\n|---|---|---|---|")
    for kind, sent in sorted(ledger.sent.items()):
        hows = {outcome: count for (name, outcome), count in sorted(ledger.answered.items()) if name == kind}
        how = ", ".join(f"{outcome}: {count}" for outcome, count in hows.items())
        print(f"| {kind} | {sent} | {sum(hows.values())} | {how} |")
    print(
        f"\n{ledger.kills} workers killed; clips {ledger.clips}; lost {ledger.lost}; at the end queue {queue}, ", end=""
    )
    print(f"folders of jobs {temp_files}")
    print(describe("server", soak.growth.server))
    print(describe(f"worker, the longest-lived of {len(soak.growth.workers)}", soak.growth.longest_worker))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, help="of the worker; one for 50 clips when not given")
    options = parser.parse_args()
    kills = max(1, options.clips // 50) if options.kills is None else options.kills
    plan = Plan(options.clips, options.seed, kills, bursts=max(1, options.clips // 170))
    print("$ python -m benchmarks.soak " + shlex.join(sys.argv[1:]))
    with running_server(LTX23_QUEUE_SIZE=str(QUEUE_SIZE), LTX23_GRACE_S="2") as server:
        soak, begun = Soak(server, plan), time.monotonic()
        soak.run()
        queue, temp_files = soak.wait_until_idle(), server.temp_files()
        soak.sample()
        print_table(soak, plan, queue, temp_files, time.monotonic() - begun)
    wrong = judge(soak, queue, temp_files)
    for text in wrong:
        print(f"WRONG: {text}")
    print("every request was answered, and nothing is left" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
