"""Links that open one path for a short time without a key, because `<video>` and `EventSource` cannot send a header.

They are signed with HMAC from the standard library. A token library would add its own time stamp and separators, for
which a URL already has a place.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

_EXPIRES = re.compile(r"[0-9]{1,12}")


class LinkError(Exception):
    """A signed link is not valid; the message says why."""


@dataclass(frozen=True)
class SignedLinks:
    """Sign paths for a key, and verify them. `clock` returns Unix seconds."""

    secret: bytes = field(repr=False)
    ttl_s: float
    clock: Callable[[], float] = time.time

    def sign(self, path: str, key_id: str, not_after: int | None = None) -> str:
        """Return the query that opens `path` on behalf of `key_id` for `ttl_s`, but not beyond `not_after`."""
        expires = int(self.clock() + self.ttl_s)
        if not_after is not None:
            expires = min(expires, not_after)
        return urlencode({"expires": expires, "signature": self._signature(path, str(expires), key_id)})

    def verify(self, path: str, query: bytes, key_ids: Iterable[str]) -> tuple[str, int]:
        """Return which of `key_ids` the link was signed for, and its expiry. Raises LinkError."""
        values = parse_qs(query.decode("latin-1"))
        expires, signature = values.get("expires", [""])[-1], values.get("signature", [""])[-1]
        if not _EXPIRES.fullmatch(expires):
            raise LinkError("The link's signature is not valid.")
        signed_for = [key_id for key_id in key_ids if self._is_signature(signature, path, expires, key_id)]
        if not signed_for:
            raise LinkError("The link's signature is not valid.")
        if int(expires) <= self.clock():
            raise LinkError("The link has expired; ask for the video again to get a new one.")
        return signed_for[0], int(expires)

    def _is_signature(self, signature: str, path: str, expires: str, key_id: str) -> bool:
        expected = self._signature(path, expires, key_id)
        return hmac.compare_digest(expected.encode("ascii"), signature.encode("utf-8", "surrogatepass"))

    def _signature(self, path: str, expires: str, key_id: str) -> str:
        message = "\n".join((path, expires, key_id)).encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()


def is_signed(query: bytes) -> bool:
    """Return whether the query contains a signature."""
    return b"signature=" in query
