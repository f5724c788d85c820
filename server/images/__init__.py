"""Check the images of requests in a process that may crash."""
