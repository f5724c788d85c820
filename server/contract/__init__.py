"""Read a request with pure functions: bytes in, a resolved request or the reasons for its refusal out."""
