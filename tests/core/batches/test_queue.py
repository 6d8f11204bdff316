"""Who is in the next batch."""

import pytest

from functions.core.batches.queue import preferred_places


@pytest.mark.parametrize(("places", "preferred"), [(1, 0), (2, 1), (9, 8), (10, 8), (14, 12), (15, 12), (100, 80)])
def test_a_fifth_of_a_batch_is_kept_for_jobs_without_priority(places: int, preferred: int) -> None:
    """One place at the least, however small the batch is."""
    assert preferred_places(places) == preferred
