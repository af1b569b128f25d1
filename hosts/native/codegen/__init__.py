"""The machine instructions behind each intrinsic and each primitive of the waist, and the symbols that they name."""
