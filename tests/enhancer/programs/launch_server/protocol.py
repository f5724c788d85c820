"""Stand in for `python -P -m sglang.launch_server`, as far as its manager sees it.

Each program in this folder fails in one way. The folder given as its model records each start in the file `lives`.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HANGS = "import signal, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Event().wait()"


class Launch:
    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--model-path", type=Path)
        parser.add_argument("--port", type=int)
        self.args, _ = parser.parse_known_args()
        self.folder: Path = self.args.model_path
        with (self.folder / "lives").open("a") as lives:
            lives.write(json.dumps({"pid": os.getpid(), "argv": sys.argv[1:], "tmp": os.environ["TMPDIR"]}) + "\n")
        self.life = len((self.folder / "lives").read_text().splitlines())

    def serve(self) -> None:
        ThreadingHTTPServer(("127.0.0.1", self.args.port), _Handler).serve_forever()

    def spawn(self) -> None:
        """Start a process in its own session, which signals to this process's group do not reach."""
        child = subprocess.Popen([sys.executable, "-c", HANGS], start_new_session=True)
        (self.folder / "spawned").write_text(str(child.pid))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(9)
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        """Answer every prompt with the same rewrite."""
        message = {"content": "A red fox runs through deep snow."}
        body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def hang() -> None:
    threading.Event().wait()
