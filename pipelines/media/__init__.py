"""Pictures and clips as files: reading images, writing and checking mp4 and webm. Knows no model."""
