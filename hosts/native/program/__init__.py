"""The program of a pCPU process: the loaded protocol over the native host's functions, built and cached."""
