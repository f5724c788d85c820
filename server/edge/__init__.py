"""What every request meets before the application: pure ASGI middlewares that know nothing of rendering.

From the outside in: RequestId, Exchanges, SecurityHeaders, ApiKeys, BodyLimit.
"""
