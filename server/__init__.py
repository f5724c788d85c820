"""The HTTP server, its jobs and its processes. The only package that reads the environment.

A request passes edge (connection and middlewares), routes, contract (what its body means), requests (its images, its
prompt, its job), jobs (the queue), worker (the render), videos (what is kept), and answers.
"""
