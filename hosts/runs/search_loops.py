"""Loads the compiled loops of the search, or compiles them, before a time budget begins."""

from __future__ import annotations

from typing import Final

from hosts.compiler.cache import CacheError
from hosts.compiler.objects import BuildError
from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_FAULT
from hosts.explorer.jit import library
from hosts.runs.compile_progress import Compiling

SEARCH_BYTES: Final = 3_000_000_000
"""Memory limit of a search in commands that have no option for it."""


def have_loops() -> None:
    """Load them, or compile them and show the progress; Failure."""
    try:
        with Compiling("the search") as shown:
            library.ready(shown.progress)
    except CacheError as error:
        raise Failure(str(error), EXIT_ENVIRONMENT) from error
    except BuildError as error:
        raise Failure(str(error), EXIT_FAULT) from error
