"""What a stress run consists of, what came of it, and how it is told: to a person and as JSON lines."""
