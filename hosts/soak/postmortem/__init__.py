"""What is read out of a machine's shared memory after its run: counters, events, and the cross-check of accountings."""
