"""Runs the stand-in on its own: `python -m localcloud.stripe --port 8092`."""

import argparse
from pathlib import Path

from localcloud.clock import MovableClock, utc_now
from localcloud.openai.served import serve
from localcloud.stripe.standin import StripeStandIn


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.stripe", description="A stand-in for the Stripe API.")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 takes a free port")
    parser.add_argument("--clock", type=Path, help="file of a clock shared with other processes (localcloud/clock.py)")
    parser.add_argument("--webhook-url", help="where events go")
    parser.add_argument("--webhook-secret", help="what they are signed with, whsec_...")
    parser.add_argument("--webhook-payload", choices=("snapshot", "thin"), default="snapshot")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    standin = StripeStandIn(
        port=options.port,
        clock=MovableClock(options.clock) if options.clock else utc_now,
        seed=options.seed,
        webhook_url=options.webhook_url,
        webhook_secret=options.webhook_secret,
        webhook_payload=options.webhook_payload,
    )
    serve(standin, "STRIPE_BASE_URL")


if __name__ == "__main__":
    main()
