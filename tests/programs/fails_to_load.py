"""Report that loading failed and hang, the first time that it is started."""

from protocol import Pipe, hang

from server.worker.messages import LoadFailed

pipe = Pipe()
if pipe.life() == 1:
    pipe.send(LoadFailed("the checkpoint is cut short"))
    hang()
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
