"""The machine's processors, and the placement of a run's pCPUs on them."""
