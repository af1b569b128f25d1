"""Who does a task: a worker process on this machine, or the workers of a Dask cluster."""
