"""Videos rendered in the background: their records and files, and their states across restarts. Independent of HTTP."""
