"""The cloud of these tests."""

import pytest

from scripts.inprocess import InProcessCloud
from tests.use_cases.batches.one_bad_item.steps import CONFIG


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which users have tokens enough."""
    cloud = InProcessCloud(seed=1)
    cloud.configure(CONFIG)
    return cloud
