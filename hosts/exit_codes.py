"""The exit codes of the commands; nothing else, so that ``--help`` loads nothing else."""

from __future__ import annotations

from typing import Final

EXIT_EXPECTED: Final = 0
EXIT_UNEXPECTED: Final = 1
EXIT_UNPROVEN: Final = 2
EXIT_ENVIRONMENT: Final = 3
EXIT_FAULT: Final = 4
EXIT_USAGE: Final = 64
EXIT_INTERRUPTED: Final = 130
