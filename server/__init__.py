"""The HTTP server, its jobs and its processes. The only package that reads the environment."""
