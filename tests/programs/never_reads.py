"""Report that it is ready, and never read the pipe."""

from protocol import Pipe, hang

pipe = Pipe()
pipe.ready()
hang()
