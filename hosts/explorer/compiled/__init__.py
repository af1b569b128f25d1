"""The kernels of the search, compiled by Numba into one object file: every module of this folder is part of it."""
