"""The barrier audit: each ordering and each atomicity weakened by itself, and explored."""
