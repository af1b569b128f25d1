"""Which processors there are, and on which of them the pCPUs of a run are put."""
