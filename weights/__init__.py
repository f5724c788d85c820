"""Weight files on disk: names, shapes, dtypes, formats. Knows nothing of pixels or HTTP."""
