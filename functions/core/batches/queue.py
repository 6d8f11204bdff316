"""Whose turn it is: jobs with priority go first, and starve nobody."""

UNPREFERRED_PERCENT = 20
"""The share of each batch that is kept for the oldest jobs without priority."""


def preferred_places(places: int) -> int:
    """Return how many of a batch's places prefer jobs with priority: all but a fifth, at least one; none of a single
    place."""
    return places - max(places * UNPREFERRED_PERCENT // 100, 1)
