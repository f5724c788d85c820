"""Leave out of a recording what would let its reader use somebody's account."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

Pairs = list[tuple[str, str]]
RawHeaders = Iterable[tuple[bytes, bytes]]

# Takes the place of a key.
REMOVED = "removed"
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})
# Of an answer; a client would take the word above for a cookie.
SET_COOKIE = frozenset({"set-cookie", "set-cookie2"})
# The parameters of signed links, ours and those of object stores, and keys in a query.
SECRET_PARAMETERS = frozenset({"expires", "signature", "sig", "token", "access_token", "key", "api_key", "apikey"})
SECRET_PREFIXES = ("x-amz-", "x-goog-")

# These belong to one connection (RFC 9110, 7.6.1), not to the message.
CONNECTION_HEADERS = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "expect"),
    }
)


def recorded_request_headers(headers: RawHeaders) -> Pairs:
    """Return the headers without those of the connection; a key is replaced by a word that says so."""
    return [
        (name, REMOVED if name.lower() in SECRET_HEADERS else value) for name, value in _text(message_headers(headers))
    ]


def recorded_answer_headers(headers: RawHeaders) -> Pairs:
    """Return the headers without those of the connection and without cookies."""
    return [(name, value) for name, value in _text(message_headers(headers)) if name.lower() not in SET_COOKIE]


def recorded_query(query: bytes) -> Pairs:
    """Return the parameters of a query without keys and signatures."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return [(name, value) for name, value in pairs if not _is_secret(name.lower())]


def message_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the headers that a proxy passes on: all but those of the connection."""
    headers = list(headers)
    named = {
        each.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for each in value.decode("latin-1").split(",")
    }
    left_out = CONNECTION_HEADERS | named
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in left_out]


def _is_secret(name: str) -> bool:
    return name in SECRET_PARAMETERS or name.startswith(SECRET_PREFIXES)


def _text(headers: RawHeaders) -> Iterable[tuple[str, str]]:
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
