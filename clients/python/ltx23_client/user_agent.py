"""What the client calls itself."""

from importlib.metadata import version

USER_AGENT = f"ltx23-client/{version('ltx23-client')}"
