"""The on-disk cache: loaded programs, and the thread automata and tables that a search has learnt."""
