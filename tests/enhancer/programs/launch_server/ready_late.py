"""Serve once the test has opened and closed the named pipe `go`."""

from protocol import Launch

launch = Launch()
(launch.folder / "go").read_bytes()
launch.serve()
