"""Runs: what is planned, raced and explored, how the time is shared out, and what each row is worth."""
