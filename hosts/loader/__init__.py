"""The front end: parses, checks, normalises and mutates the specification and a user's rule into one program."""
