"""Reports of runs, for people and as JSON lines."""
