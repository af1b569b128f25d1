"""Repair of a violation: a second search, from the violating state, for what would still meet the obligation."""
