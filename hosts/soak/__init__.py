"""Soak testing: campaigns of races and explorations that run for days, lose no result, and check themselves."""
