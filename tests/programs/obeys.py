"""Begins each job, and ends it when it is cancelled or when a byte in the named pipe `orders-DEVICE` says how.

f: it is done. x: it failed. d: the program dies, job or no job.
"""

import os
import select

from manners import Pipe

from server.messages import Cancel, Failed, FailureKind, Generate

pipe = Pipe()
orders = os.open(pipe.folder / f"orders-{pipe.config.device}", os.O_RDWR)
running: Generate | None = None


def fail(kind: FailureKind) -> None:
    assert running is not None
    pipe.send(Failed(running.job_id, kind, "as it was told"))


pipe.ready()
while True:
    readable, _, _ = select.select([pipe.connection, orders], [], [])
    if pipe.connection in readable:
        try:
            message = pipe.connection.recv()
        except EOFError:
            break
        if isinstance(message, Generate):
            running = message
            pipe.begin(message)
        elif running is not None and message == Cancel(running.job_id):
            fail(FailureKind.CANCELLED)
            running = None
        continue
    match os.read(orders, 1):
        case b"d":
            os._exit(1)
        case b"f" if running is not None:
            pipe.finish(running)
        case b"x":
            fail(FailureKind.INTERNAL)
    running = None
