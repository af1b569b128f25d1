"""Soak: campaigns that run for days, lose nothing, and can be believed."""
