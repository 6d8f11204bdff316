"""Runs the stand-in on its own: `python -m localcloud.openai --port 8090`."""

import argparse
from pathlib import Path

from localcloud.clock import MovableClock, utc_now
from localcloud.openai.answers import no_wish
from localcloud.openai.azure import Deployment
from localcloud.openai.served import serve
from localcloud.openai.standin import OpenAIStandIn
from localcloud.project import load_hook


def deployment(text: str) -> tuple[str, Deployment]:
    """Return the name and the deployment of `NAME=MODEL:SKU`."""
    name, _, served = text.partition("=")
    model, _, sku = served.partition(":")
    return name, Deployment(model, sku or "GlobalStandard")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.openai", description="A stand-in for the OpenAI API.")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 takes a free port")
    parser.add_argument("--clock", type=Path, help="file of a clock shared with other processes (localcloud/clock.py)")
    parser.add_argument("--batch-minutes", type=float, default=20.0, help="how long a batch takes at most")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every chat completion")
    parser.add_argument("--enqueued-token-limit", type=int, help="prompt tokens that may wait in batches, per model")
    parser.add_argument("--webhook-url", help="where events about batches go")
    parser.add_argument("--webhook-secret", help="what they are signed with, whsec_...")
    parser.add_argument("--answers", help="module:function, what to say of a picture (localcloud/openai/answers.py)")
    parser.add_argument(
        "--azure",
        action="append",
        metavar="NAME=MODEL:SKU",
        help="be a resource of Azure with this deployment; may be given several times",
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    standin = OpenAIStandIn(
        port=options.port,
        clock=MovableClock(options.clock) if options.clock else utc_now,
        seed=options.seed,
        answers=load_hook(options.answers) if options.answers else no_wish,
        batch_minutes=options.batch_minutes,
        latency_ms=options.latency_ms,
        enqueued_token_limit=options.enqueued_token_limit,
        webhook_url=options.webhook_url,
        webhook_secret=options.webhook_secret,
        azure=dict(map(deployment, options.azure)) if options.azure else None,
    )
    serve(standin, "OPENAI_BASE_URL")


if __name__ == "__main__":
    main()
