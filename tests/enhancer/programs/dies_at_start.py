"""Exit before being ready, the first two times that it is started."""

import sys

from protocol import Pipe

pipe = Pipe()
if pipe.life() <= 2:
    sys.exit(7)
pipe.ready()
for number, name in pipe.requests():
    pipe.answer(number, name)
