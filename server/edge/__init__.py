"""Everything that a request passes before the application: its connection, then the ASGI middlewares of `stack.py`."""
