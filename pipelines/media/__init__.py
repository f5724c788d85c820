"""Read images; write and verify mp4 and webm clips."""
