"""Loads for ever, and has started something that is deaf to SIGTERM and in a session of its own."""

from manners import Launch, hang

launch = Launch()
launch.spawn()
hang()
