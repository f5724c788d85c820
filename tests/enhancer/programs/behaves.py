"""Caption every image; report that an image named "refuse" cannot be read."""

from protocol import Pipe

pipe = Pipe()
pipe.ready()
for number, name in pipe.requests():
    if name == "refuse":
        pipe.send({"id": number, "error": "the image cannot be read"})
    else:
        pipe.answer(number, name)
