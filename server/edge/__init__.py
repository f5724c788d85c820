"""ASGI middlewares that every request passes before the application; `stack.py` puts them in order."""
