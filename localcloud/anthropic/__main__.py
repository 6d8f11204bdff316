"""Runs the stand-in on its own: `python -m localcloud.anthropic --port 8091`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from localcloud.anthropic.standin import AnthropicStandIn
from localcloud.clock import MovableClock, utc_now
from localcloud.openai.answers import no_wish
from localcloud.openai.served import serve
from localcloud.project import load_hook


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.anthropic", description="A stand-in for the Anthropic API."
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 takes a free port")
    parser.add_argument("--clock", type=Path, help="file of a clock shared with other processes (localcloud/clock.py)")
    parser.add_argument("--batch-minutes", type=float, default=20.0, help="how long a batch takes at most")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every message")
    parser.add_argument("--answers", help="module:function, what to say of a picture (localcloud/openai/answers.py)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    standin = AnthropicStandIn(
        port=options.port,
        clock=MovableClock(options.clock) if options.clock else utc_now,
        seed=options.seed,
        answers=load_hook(options.answers) if options.answers else no_wish,
        batch_minutes=options.batch_minutes,
        latency_ms=options.latency_ms,
    )
    serve(standin, "ANTHROPIC_BASE_URL")


if __name__ == "__main__":
    main()
