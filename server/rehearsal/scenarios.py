"""Ready-made faults: what clients of the hosted platform have met."""

SCENARIOS = {
    "queue-full": "status=429; retry-after=3",
    # Nothing runs until the first request comes; loading the model takes this long.
    "cold-start": "status=503; retry-after=5; for=40",
    # The platform's edge closes a connection that has been silent for ten minutes.
    "edge-timeout": "slow=600; drop=connection",
    "body-cut": "drop=halfway",
    "worker-death": "slow=5; status=500",
}
