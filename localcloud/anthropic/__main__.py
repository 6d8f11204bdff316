"""Runs the stand-in on its own: `python -m localcloud.anthropic --port 8091`."""

from collections.abc import Sequence

from localcloud.anthropic.standin import AnthropicStandIn
from localcloud.openai.answers import no_wish
from localcloud.project import load_hook
from localcloud.standins.base import command, serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = command("anthropic", "Anthropic")
    parser.add_argument("--batch-minutes", type=float, default=20.0, help="how long a batch takes at most")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every message")
    parser.add_argument(
        "--answers",
        type=load_hook,
        default=no_wish,
        help="module:function, what to say of a picture (localcloud/openai/answers.py)",
    )
    serve(AnthropicStandIn(**vars(parser.parse_args(arguments))), "ANTHROPIC_BASE_URL")


if __name__ == "__main__":
    main()
