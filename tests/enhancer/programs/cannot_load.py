"""Report that the model is missing, in a message with a path."""

from manners import Pipe

pipe = Pipe()
pipe.send({"failed": f"model: {pipe.folder}/secret is no Florence-2"})
