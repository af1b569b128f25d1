"""The campaign on disk: its database, folders and lock; written by one, read by many."""
