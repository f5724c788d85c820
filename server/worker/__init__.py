"""The worker process: one model, one job at a time on its device. Independent of HTTP."""
