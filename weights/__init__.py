"""Weight files: where they come from, and their names, shapes, dtypes and formats."""
