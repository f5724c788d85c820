"""The middlewares around the application, in order."""

from collections.abc import Collection, Sequence

from starlette.types import ASGIApp

from server.edge.api_keys import ApiKeys
from server.edge.body_limit import BodyLimit, BodyLimits
from server.edge.browser_guard import BrowserGuard
from server.edge.content_encoding import UncompressedBodies
from server.edge.cors import Cors
from server.edge.exchange import ExchangeReporter, OnExchange
from server.edge.forwarded import ForwardedHeaders
from server.edge.hosted import HostedShapes
from server.edge.key_ring import KeyRing
from server.edge.pace import Pace
from server.edge.paths import CleanPaths
from server.edge.request_id import RequestId
from server.edge.security_headers import SecurityHeaders
from server.edge.signed_links import SignedLinks
from server.process.run_values import RunValues
from server.settings import Settings


def with_edge(
    app: ASGIApp,
    settings: Settings,
    key_ring: KeyRing,
    links: SignedLinks | None = None,
    open_paths: Collection[str] = (),
    listeners: Sequence[OnExchange] = (),
    paths: Collection[str] = (),
    run_values: RunValues | None = None,
) -> ASGIApp:
    """Wrap `app` in every middleware. A request passes through them from the bottom line to the top.

    open_paths: paths that need no key; all need one with the hosted platform's errors.
    paths: paths that `listeners` get as the route even if the request is refused before routing.
    run_values: the source of ids.
    """
    app = UncompressedBodies(BodyLimit(app, _body_limits(settings)))
    app = ApiKeys(app, key_ring, () if settings.errors == "hosted" else open_paths, links)
    if len(key_ring) == 0:
        app = BrowserGuard(app, settings.allowed_hosts, settings.cors_origins)
    if settings.cors_origins:
        # Outside the middlewares that refuse, so that a page can also read a 401, a 413 and a 429.
        app = Cors(app, settings.cors_origins)
    if settings.errors == "hosted":
        app = HostedShapes(app, run_values)
    # Outside everything that answers, so that a last-resort 500 has an id too.
    app = RequestId(ExchangeReporter(SecurityHeaders(app), listeners, paths), run_values)
    return ForwardedHeaders(CleanPaths(app, settings.root_path), settings.trusted_proxies)


def _body_limits(settings: Settings) -> BodyLimits:
    return BodyLimits(
        max_bytes=settings.max_body_bytes,
        max_total_bytes=settings.max_total_body_bytes or 4 * settings.max_body_bytes,
        pace=Pace(settings.stall_timeout_s, settings.min_bytes_per_s),
    )
