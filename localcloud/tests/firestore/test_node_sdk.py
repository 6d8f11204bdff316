"""The web SDK under Node, which speaks gRPC as the mobile SDKs do, on both servers at their address for apps."""

import os
import shutil
import subprocess

import pytest

from localcloud.tests.firestore.support import WEB_SDK, install_web_sdk

RUNS = {"embedded": 1, "official": 3}
"""Of up to so many, one has to be right in every point. Google's emulator sometimes never tells a listener of a
document that slides into its window: in 15 of 101 runs, while all of 147 were right on ours."""


def test_an_app_listens_writes_and_goes_offline(app_host: str, request: pytest.FixtureRequest) -> None:
    """The SDK's listeners, windows, latency compensation, offline time, cache, transactions and queue of writes work;
    node.test.mjs says what exactly."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: the web SDK runs on it")
    install_web_sdk()
    environment = {**os.environ, "FIRESTORE_HOST": app_host}
    for _ in range(RUNS[request.node.callspec.params["app_host"]]):
        ended = subprocess.run(  # noqa: S603 - our own script
            [node, "--test", "node.test.mjs"], cwd=WEB_SDK, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode == 0:
            return
    pytest.fail(ended.stdout + ended.stderr)
