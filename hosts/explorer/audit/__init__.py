"""The memory-ordering audit: each barrier, locked operation and pair of accesses is relaxed by itself and explored."""
