"""How the compiled kernels are declared, what their intrinsics mean, and the object file they are loaded from."""
