"""Record requests with their answers, and replay the answers without a model."""
