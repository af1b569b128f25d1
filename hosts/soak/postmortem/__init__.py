"""What is read out of a saved machine after its run: counters, events, two ledgers that must agree."""
