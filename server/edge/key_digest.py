"""The digest by which the server knows an API key."""

import hashlib
import re

# What a header carries unchanged in all three spellings.
_KEY = re.compile(r"[!-~]+")


class KeyRingError(ValueError):
    """A key that no request could present, or a key file without usable keys. The message never shows a key."""


def key_digest(key: str, origin: str) -> bytes:
    """Return the SHA-256 of `key`. `origin` names the place of the key in an error. Raises KeyRingError."""
    if not _KEY.fullmatch(key):
        raise KeyRingError(f"{origin}: a key is made of visible ASCII characters, without spaces")
    return hashlib.sha256(key.encode("ascii")).digest()
