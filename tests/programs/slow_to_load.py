"""Load until the test writes to the named pipe `go`."""

from protocol import Pipe

from server.worker.messages import Loading

pipe = Pipe()
pipe.send(Loading("transformer", 1, 2))
(pipe.folder / "go").read_bytes()
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
