"""The executors of tasks: a worker process on this machine, or the workers of a Dask cluster."""
