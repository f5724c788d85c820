"""HTTP, jobs and processes. The only reader of the environment."""
