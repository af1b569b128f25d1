"""What a campaign does next: its settings, seeded bugs, and the choice among them."""
