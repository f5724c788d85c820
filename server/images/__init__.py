"""Check the images and sounds of requests in a process that may crash."""
