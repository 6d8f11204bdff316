"""Runs the stand-in on its own: `python -m localcloud.stripe --port 8092`."""

from localcloud.standins.base import command, serve
from localcloud.stripe.standin import StripeStandIn


def main() -> None:
    """Serve until interrupted."""
    parser = command("stripe", "Stripe")
    parser.add_argument("--webhook-url", help="where events go")
    parser.add_argument("--webhook-secret", help="what they are signed with, whsec_...")
    parser.add_argument("--webhook-payload", choices=("snapshot", "thin"), default="snapshot")
    serve(StripeStandIn(**vars(parser.parse_args())), "STRIPE_BASE_URL")


if __name__ == "__main__":
    main()
