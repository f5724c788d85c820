"""Stop a server when its standard input ends."""

import os
import signal
import threading

import uvicorn

STDIN = 0


def stop_with_stdin(server: uvicorn.Server) -> None:
    """Watch standard input in a thread of its own; its end counts as a signal to stop."""

    def watch() -> None:
        while os.read(STDIN, 4096):
            pass
        server.handle_exit(signal.SIGTERM, None)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
