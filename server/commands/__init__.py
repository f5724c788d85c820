"""The commands of `ltx23`. `server/cli.py` parses the command line."""
