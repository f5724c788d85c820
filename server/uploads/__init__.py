"""The images, sounds and clips of requests: written to files, and checked in a process that may crash."""
