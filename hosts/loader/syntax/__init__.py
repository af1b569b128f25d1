"""The subset of Python a protocol function is written in, and the passes over its syntax tree."""
