"""The cloud of the budget's tests."""

import pytest

from scripts.inprocess import InProcessCloud
from tests.use_cases.budget.books import configure


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, with a budget of ten dollars for the day and tokens enough."""
    cloud = InProcessCloud(seed=1)
    configure(cloud)
    return cloud
