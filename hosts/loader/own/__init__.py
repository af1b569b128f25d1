"""What a patch's file brings besides functions: words, windows, checks, acts and scenarios of the user's own."""
