"""From the bytes of a body to its fields: JSON, or an equivalent form."""
