"""The worker process: one model, one job at a time. Independent of HTTP."""
