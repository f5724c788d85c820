"""Load for ever, with a child process that ignores SIGTERM and has its own session."""

from protocol import Launch, hang

launch = Launch()
launch.spawn()
hang()
