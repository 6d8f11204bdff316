"""The parts of benchmarks that stand in for the cloud, which nothing else would find out of date."""

import json
import subprocess
import sys

import pytest

from scripts.benchmarks.batchfile import ROOT


@pytest.mark.parametrize("mode", ["links", "inline"])
def test_a_small_batch_file_is_built_and_collected(mode: str) -> None:
    """Every line of it, by the product's own code."""
    command = [sys.executable, "-m", "scripts.benchmarks.batchfile", "50", mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  (our own command)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["build_lines_per_s"] > 0 < figures["collect_lines_per_s"]
