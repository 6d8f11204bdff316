"""Runs the stand-in on its own: `python -m localcloud.openai --port 8090`."""

from localcloud.openai.answers import no_wish
from localcloud.openai.azure import deployment
from localcloud.openai.standin import OpenAIStandIn
from localcloud.project import load_hook
from localcloud.standins.base import command, serve


def main() -> None:
    """Serve until interrupted."""
    parser = command("openai", "OpenAI")
    parser.add_argument("--batch-minutes", type=float, default=20.0, help="how long a batch takes at most")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every chat completion")
    parser.add_argument("--enqueued-token-limit", type=int, help="prompt tokens that may wait in batches, per model")
    parser.add_argument("--webhook-url", help="where events about batches go")
    parser.add_argument("--webhook-secret", help="what they are signed with, whsec_...")
    parser.add_argument(
        "--answers",
        type=load_hook,
        default=no_wish,
        help="module:function, what to say of a picture (localcloud/openai/answers.py)",
    )
    parser.add_argument(
        "--azure",
        type=deployment,
        action="append",
        metavar="NAME=MODEL:SKU",
        help="be a resource of Azure with this deployment; may be given several times",
    )
    options = vars(parser.parse_args())
    options["azure"] = dict(options["azure"]) if options["azure"] else None
    serve(OpenAIStandIn(**options), "OPENAI_BASE_URL")


if __name__ == "__main__":
    main()
