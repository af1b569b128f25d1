"""What a person sees of a campaign."""
