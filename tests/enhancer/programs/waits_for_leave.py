"""Caption an image once the test has opened and closed the named pipe of its name."""

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for number, name in pipe.requests():
    (pipe.folder / name).read_bytes()
    pipe.answer(number, name)
