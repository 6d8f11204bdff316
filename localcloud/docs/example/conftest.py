"""The local cloud's fixtures come with its package. This project has a clock to be moved."""

import pytest

from localcloud.cloud import CloudSettings


@pytest.fixture(scope="session")
def localcloud_settings(pytestconfig: pytest.Config) -> CloudSettings:
    """Start the cloud with this project's clock hook."""
    return CloudSettings.of(pytestconfig.rootpath, openai="standin", clock_hook="main:use_clock")
