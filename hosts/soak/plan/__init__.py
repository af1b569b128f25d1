"""The plan of a campaign: its settings, its canaries, and the choice of the next task."""
