"""Report that the model is missing, in a message with a path."""

from protocol import Pipe

pipe = Pipe()
pipe.send({"failed": f"model: {pipe.folder}/secret is no Florence-2"})
