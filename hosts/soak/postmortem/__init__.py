"""The analysis of a machine's shared memory after its run: decoded dump, events, cross-check of the counters."""
