"""What a campaign does next: its settings, tasks, seeded bugs, and the choice among them."""
