"""The campaign on disk: its database, folders and lock; one process writes, any number read."""
