"""The two executors of tasks: a worker process on this machine, and the workers of a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT
from hosts.soak.workers.local_executor import LocalExecutor

if TYPE_CHECKING:  # an extra
    from hosts.soak.workers.dask_client import ClusterExecutor


def open_executor(dask: str | None) -> LocalExecutor | ClusterExecutor:
    """Return the executor of this machine, or with an address the one of that Dask scheduler's cluster."""
    if dask is None:
        return LocalExecutor()
    try:
        from hosts.soak.workers.dask_client import ClusterExecutor
    except ImportError as missing:
        said = f"--dask needs the extra `dask`: pip install 'pirace[dask]' ({missing})"
        raise Failure(said, EXIT_ENVIRONMENT) from None
    return ClusterExecutor(dask)
