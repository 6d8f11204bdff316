"""The shop of the payments' tests."""

import pytest

from scripts.shop_in_process import Shop


@pytest.fixture
def shop() -> Shop:
    """A shop that ann has been in before, and whose webhooks arrive."""
    return Shop().visited()
