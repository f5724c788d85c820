"""Says that it is ready, and never reads its pipe."""

from manners import Pipe, hang

pipe = Pipe()
pipe.ready()
hang()
