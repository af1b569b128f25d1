"""What can be wrong with a campaign, each said in one line."""

from __future__ import annotations

from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE


class CampaignError(Failure):
    """Something about a campaign that the user is told."""

    exit_status = EXIT_ENVIRONMENT

    def __init__(self, message: str) -> None:
        super().__init__(message, self.exit_status)


class Refused(CampaignError):  # noqa: N818 - see Failure
    """Nothing is broken, but this cannot be done."""

    exit_status = EXIT_USAGE


class Busy(Refused):
    """Another soak has the folder."""


class Damaged(CampaignError):  # noqa: N818 - see Failure
    """The campaign file cannot be read, by this version at least."""


class Unwritable(CampaignError):  # noqa: N818 - see Failure
    """The folder, or the disk, takes nothing more."""
