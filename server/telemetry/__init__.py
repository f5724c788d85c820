"""What the server tells of its own work: metrics, a line in the log for each request, traces. Changes nothing."""
