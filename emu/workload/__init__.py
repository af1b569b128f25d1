"""The workload: what drives the machine. The guest's program, the other pCPUs' actions, scenarios and initial state."""
