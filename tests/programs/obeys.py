"""Begin each job, and end it when it is cancelled or as a byte in the named pipe `orders-DEVICE` says.

f: finish the job. x: fail it. Both wait for a job if there is none. d: exit, with or without a job.
"""

import os
import select

from protocol import Pipe

from server.worker.messages import Cancel, Failed, FailureKind, Generate

pipe = Pipe()
orders = os.open(pipe.folder / f"orders-{pipe.config.device}", os.O_RDWR)
running: Generate | None = None
order = b""


def fail(job: Generate, kind: FailureKind) -> None:
    pipe.send(Failed(job.job_id, kind, "as it was told"))


pipe.ready()
while True:
    readable, _, _ = select.select([pipe.connection.fileno(), orders], [], [])
    if pipe.connection.fileno() in readable:
        try:
            message = pipe.connection.recv()
        except EOFError:
            break
        if isinstance(message, Generate):
            running = message
            pipe.begin(message)
        elif running is not None and message == Cancel(running.job_id):
            fail(running, FailureKind.CANCELLED)
            running = None
    else:
        order = os.read(orders, 1)
    if order == b"d":
        os._exit(1)
    if order and running is not None:
        if order == b"f":
            pipe.finish(running)
        else:
            fail(running, FailureKind.INTERNAL)
        running, order = None, b""
