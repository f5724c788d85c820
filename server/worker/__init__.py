"""The worker process: one model, one job at a time. Knows no HTTP."""
