"""Set up a process of the server: its log, memory, threads and open files."""
