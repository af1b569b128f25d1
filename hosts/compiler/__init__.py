"""The Numba unit linker: Python functions become one object file, cached by a hash of all it was made from."""
