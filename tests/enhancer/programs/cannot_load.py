"""Says that its model is not there, with a path."""

from manners import Pipe

pipe = Pipe()
pipe.send({"failed": f"model: {pipe.folder}/secret is no Florence-2"})
