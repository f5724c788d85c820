"""What a request passes before the application: its connection, then ASGI middlewares in the order of `stack.py`."""
