"""What `ltx23 COMMAND` does; `server/cli.py` parses."""
