"""What the emulated machine runs on: real processes, the explorer, a replay; and the command line."""
