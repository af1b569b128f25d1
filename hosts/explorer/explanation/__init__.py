"""Counterexample explanation: the events of a witness as a table (a sequence chart), and a paragraph on its cause."""
