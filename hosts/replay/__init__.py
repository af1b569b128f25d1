"""The replay host: a witness taken again on real processes, each operation in its turn."""
