"""The processes of a run: fork server, pCPUs, supervisor, watchdog, and what is kept of a crash."""
