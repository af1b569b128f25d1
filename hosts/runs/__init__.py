"""Runs: planning, racing, exploring, the shares of time, and the verdicts of rows."""
