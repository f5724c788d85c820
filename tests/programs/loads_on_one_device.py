"""Load on every device but cuda:9, which does not exist."""

from protocol import Pipe

from server.worker.messages import LoadFailed

pipe = Pipe()
if pipe.config.device == "cuda:9":
    pipe.send(LoadFailed("torch sees 2 of them"))
    raise SystemExit(1)
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
