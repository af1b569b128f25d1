"""The views of a campaign: panel, status, rates, assessment, JSON export."""
