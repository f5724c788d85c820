"""A spec in, a clip out. Knows no HTTP, no environment, no queue."""
