"""Instruments that attach to a user's code: which statement they go to, and what they are told of it."""
