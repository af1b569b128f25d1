"""The replay host: a witness replayed on real processes, one scheduled operation at a time."""
