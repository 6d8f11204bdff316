"""The stand-in as a command of its own."""

import signal
import subprocess
import sys
from pathlib import Path

from stripe import StripeClient

ROOT = Path(__file__).resolve().parents[3]


def test_it_runs_alone() -> None:
    """It prints where it is, serves the real client, and ends when it is interrupted."""
    command = [sys.executable, "-m", "localcloud.stripe", "--webhook-payload", "thin"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (ours)
        assert process.stdout is not None
        variable, _, rest = process.stdout.readline().partition("=")
        client = StripeClient("sk_test_any", base_addresses={"api": rest.split()[0]}, max_network_retries=0)
        assert (variable, client.v1.customers.list().data) == ("STRIPE_BASE_URL", [])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
