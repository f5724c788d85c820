"""Render every job at once."""

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for job in pipe.jobs():
    pipe.render(job)
