"""From the field names that clients send to the documented ones."""
