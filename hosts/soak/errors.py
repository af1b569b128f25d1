"""The errors of a campaign; the message of each is one line for the user."""

from __future__ import annotations

from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE


class CampaignError(Failure):
    """An error of a campaign."""

    exit_status = EXIT_ENVIRONMENT

    def __init__(self, message: str) -> None:
        super().__init__(message, self.exit_status)


class Refused(CampaignError):  # noqa: N818 - see Failure
    """What was asked for cannot be done; the campaign is intact."""

    exit_status = EXIT_USAGE


class Busy(Refused):
    """Another soak holds the folder."""


class Damaged(CampaignError):  # noqa: N818 - see Failure
    """The campaign file cannot be read, at least not by this version."""


class Unwritable(CampaignError):  # noqa: N818 - see Failure
    """The folder or the disk cannot be written to."""
