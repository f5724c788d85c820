"""Weight files: where they come from, names, shapes, dtypes, formats. Knows nothing of pixels or of serving."""
