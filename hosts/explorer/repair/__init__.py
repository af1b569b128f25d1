"""What would repair a violation, found by a second search from its state."""
