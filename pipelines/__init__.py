"""Turn a specification into a clip."""
