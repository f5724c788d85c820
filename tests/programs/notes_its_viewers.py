"""Answer each Watch of the job on the device with a preview that says how many there were; end the job when cancelled.

A prompt of "decode" has no step left.
"""

from protocol import Pipe

from server.worker.messages import Cancel, Failed, FailureKind, Generate, PreviewMade, Progress, Unwatch, Watch

pipe = Pipe()
pipe.ready()
watched: list[str] = []
while True:
    try:
        message = pipe.connection.recv()
    except EOFError:
        break
    match message:
        case Generate(job_id) as job:
            watched.clear()
            pipe.begin(job)
            if job.spec.prompt == "decode":
                pipe.send(Progress(job_id, "decode", 0, 9))
        case Watch(job_id):
            watched.append("watch")
            pipe.send(PreviewMade(job_id, "stage_1", len(watched), 8, " ".join(watched).encode()))
        case Unwatch():
            watched.append("unwatch")
        case Cancel(job_id):
            pipe.send(Failed(job_id, FailureKind.CANCELLED, "as it was told"))
