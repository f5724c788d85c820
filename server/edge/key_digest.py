"""The digest that stands for an API key in the server."""

import hashlib
import re

# The characters that all three headers carry unchanged.
_KEY = re.compile(r"[!-~]+")


class KeyRingError(ValueError):
    """A key that no request could present, or a key file without usable keys. The message never shows a key."""


def key_digest(key: str, origin: str) -> bytes:
    """Return the SHA-256 of `key`. `origin` says in an error where the key came from. Raises KeyRingError."""
    if not _KEY.fullmatch(key):
        raise KeyRingError(f"{origin}: a key is made of visible ASCII characters, without spaces")
    return hashlib.sha256(key.encode("ascii")).digest()
