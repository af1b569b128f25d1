"""One story of the machine, told step by step as a call tree."""
