"""A user's own rule: read, type-checked, guarded."""
