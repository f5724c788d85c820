"""Begin each job, and end it when it is cancelled or as a byte in the named pipe `orders-DEVICE` says.

f: finish the job on the device. x: fail it. m: decode it, so that the next one can begin. All wait for a job if there
is none. F: finish the decoded job. X: fail it. d: exit, with or without a job.

The file of a job that was prepared holds "prepared", that of another one its prompt.
"""

import os
import select

from protocol import Pipe

from server.worker.messages import Cancel, Decoded, Failed, FailureKind, Generate, Prepare

pipe = Pipe()
orders = os.open(pipe.folder / f"orders-{pipe.config.device}", os.O_RDWR)
on_device: Generate | None = None
decoded: Generate | None = None
prepared = ""
was_prepared: set[str] = set()
order = b""


def finish(job: Generate) -> None:
    pipe.done(job, job.path.write_text("prepared" if job.job_id in was_prepared else job.spec.prompt))


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
            assert on_device is None, "the device has a job"
            on_device = message
            if message.job_id == prepared:
                was_prepared.add(message.job_id)
                prepared = ""
            pipe.begin(message)
        elif isinstance(message, Prepare):
            assert not prepared, "another job is prepared"
            prepared = message.job_id
        elif message == Cancel(prepared):
            prepared = ""
        elif on_device is not None and message == Cancel(on_device.job_id):
            fail(on_device, FailureKind.CANCELLED)
            on_device = None
        elif decoded is not None and message == Cancel(decoded.job_id):
            fail(decoded, FailureKind.CANCELLED)
            decoded = None
    else:
        order = os.read(orders, 1)
    if order == b"d":
        os._exit(1)
    if order in (b"F", b"X"):
        assert decoded is not None, "no job is decoded"
        if order == b"F":
            finish(decoded)
        else:
            fail(decoded, FailureKind.INTERNAL)
        decoded, order = None, b""
    if order and on_device is not None:
        if order == b"f":
            finish(on_device)
        elif order == b"x":
            fail(on_device, FailureKind.INTERNAL)
        else:
            assert decoded is None, "another job is decoded"
            decoded = on_device
            pipe.send(Decoded(decoded.job_id))
        on_device, order = None, b""
