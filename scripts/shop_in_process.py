"""A shop in one process: the functions, Stripe's and RevenueCat's stand-ins, and what somebody who buys does."""

from datetime import timedelta
from typing import Any

from stripe import StripeClient

from functions.adapters.payments.stripe import BoundedHttp
from functions.core.wallet.accounts import Account, charge, open_account
from functions.core.wallet.ledger import Wallet
from functions.use_cases.payments.reconcile_billing import reconcile_billing
from functions.use_cases.payments.set_pay_per_use import SetPayPerUse, set_pay_per_use
from functions.use_cases.payments.start_checkout import StartCheckout, start_checkout
from functions.use_cases.payments.sync_purchases import SyncPurchases, sync_purchases
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import SELLING, InProcessCloud
from scripts.sample_shop import priced

QUARTER = timedelta(minutes=15)
HOOKS = {"stripe": "https://eco.example/stripe_webhook", "revenuecat": "https://eco.example/revenuecat_webhook"}
SOLD: dict[str, Any] = {
    "tokens_100": {"tokens": 100, "minor": 499},
    "plus_month": {"tokens": 30, "plan": "plus", "minor": 499},
    "pro_month": {"tokens": 100, "plan": "pro", "minor": 899},
}


class Shop:
    """A cloud that sells. `ann` is whoever is not named; webhooks arrive unless the shop is `deaf`."""

    def __init__(self, *, deaf: bool = False, cloud: InProcessCloud | None = None, **billing: Any) -> None:
        self.cloud = cloud or InProcessCloud(seed=1)
        if not self.cloud.deps.settings.stripe_api_key:
            self.cloud.restart(SELLING)
        products = priced(self.client, SOLD)
        self.prices = {each["name"]: each["stripePrice"] for each in products}
        self.billing = {"sellOn": ["web"], "returnUrl": "https://eco.example/shop", "products": products, **billing}
        self.cloud.configure({"billing": self.billing})
        self.requests = 0
        self.hear(deaf=deaf)

    @property
    def client(self) -> Any:
        """Stripe's client, as the operator of the shop has it."""
        http = BoundedHttp(self.cloud.stripe.http_client())
        return StripeClient("sk_test_any", base_addresses={"api": self.cloud.stripe.base_url}, http_client=http).v1

    def hear(self, *, deaf: bool = False) -> None:
        """Have webhooks arrive, or not."""
        self.cloud.stripe.settings.webhook_url = None if deaf else HOOKS["stripe"]
        self.cloud.revenuecat.settings.webhook_url = None if deaf else HOOKS["revenuecat"]

    def visited(self, *uids: str) -> "Shop":
        """Have these users come, or ann if none is named: each has a wallet then. Returns the shop."""
        for uid in uids or ("ann",):
            get_wallet(GetWallet(), uid, self.cloud.deps)
        return self

    def team(self, owner: str = "ann", *admins: str) -> str:
        """Found a team with an owner and admins. Returns its id."""
        deps = self.cloud.deps
        name = f"team-of-{owner}"
        team_id = str(create_team(CreateTeam(requestId=name, name="Green"), owner, deps)["teamId"])
        for uid in admins:
            request = {"requestId": f"invite-to-{name}-{uid}-0123", "teamId": team_id, "monthlyLimit": 10}
            wanted = InviteMember.model_validate({**request, "role": "admin"})
            join_team(JoinTeam(code=invite_member(wanted, owner, deps)["code"]), uid, deps)
        return team_id

    def is_customer(self, uid: str = "ann") -> None:
        """Have a user known to Stripe, who has a saved card and has bought nothing yet."""
        customer = str(self.client.customers.create({}).id)
        self.client.payment_methods.attach("pm_card_visa", {"customer": customer})
        self.cloud.client.document(f"billing/{uid}").set({"customer": customer})

    def start(
        self, product: str = "tokens_100", uid: str = "ann", key: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Start a checkout. Returns the answer."""
        self.requests += 1
        request = {"requestId": key or f"request-{self.requests}", "product": product, **more}
        return start_checkout(StartCheckout.model_validate(request), uid, self.cloud.deps)

    def buy(
        self, product: str = "tokens_100", uid: str = "ann", number: str = "4242424242424242", **more: Any
    ) -> dict[str, Any]:
        """Buy something on the web, and let the events arrive. Returns Stripe's session."""
        checkout = self.start(product, uid, **more)
        session = self.cloud.stripe.pay(checkout["url"].rpartition("/")[2], number)
        self.tick()
        return {**session, "checkoutId": checkout["checkoutId"]}

    def allow(self, minor: int, uid: str = "ann") -> dict[str, Any]:
        """Set the cap of automatic packs."""
        return set_pay_per_use(SetPayPerUse.model_validate({"monthMaxMinor": minor}), uid, self.cloud.deps)

    def spend(self, left: int = 0, uid: str = "ann") -> None:
        """Have a user spend all tokens but so many."""
        deps = self.cloud.deps

        def charged(wallet: Wallet | None) -> Account:
            account = open_account(wallet, 0, deps.clock())
            name = f"job-{account.wallet.entry_count}"
            return charge(account, name, account.wallet.balance - left, deps.clock())

        deps.store.open_wallet(uid, charged)

    def tick(self, **step: float) -> None:
        """Let time pass, and what is due happen."""
        self.cloud.clock.advance(timedelta(**step))
        self.cloud.stripe.tick()
        self.cloud.revenuecat.tick()

    def later(self, **step: float) -> dict[str, int]:
        """Let time pass, and the cron run. Returns its counts."""
        self.tick(**step)
        counts = reconcile_billing(self.cloud.deps)
        self.cloud.deps.store.write_cron_run("reconcile_billing", {"finishedAt": self.cloud.clock()})
        return counts

    def sync(self, uid: str = "ann", **request: Any) -> dict[str, Any]:
        """Say that something was bought."""
        return sync_purchases(SyncPurchases.model_validate(request), uid, self.cloud.deps)

    def bought(self, uid: str = "ann") -> list[tuple[str, int]]:
        """Return the entries of payments, each as its reason and tokens."""
        paid = [each for each in self.entries(uid) if each["reason"] in {"buy", "period"}]
        return [(str(each["reason"]), each["bought"]) for each in paid]

    def tokens(self, uid: str = "ann") -> tuple[int, int]:
        """Return bought tokens that are left, and those owed."""
        found = self.wallet(uid)
        return found.get("purchased", 0), found.get("owed", 0)

    def plan(self, uid: str = "ann") -> str | None:
        """Return the plan in a wallet."""
        return self.wallet(uid).get("plan")

    def payer(self, uid: str = "ann") -> dict[str, Any]:
        """Return what is known of a payer."""
        return self._stored(f"billing/{uid}")

    def wallet(self, uid: str = "ann") -> dict[str, Any]:
        """Return the stored wallet of a user, or of `teams/{id}`; nothing without one."""
        return self._stored(f"{_owner(uid)}/wallet/main")

    def entries(self, uid: str = "ann") -> list[dict[str, Any]]:
        """Return a ledger, the oldest entry first."""
        found = self.cloud.client.collection(f"{_owner(uid)}/ledger").order_by("seq").stream()
        return [each.to_dict() or {} for each in found]

    def payments(self) -> dict[str, dict[str, Any]]:
        """Return the payments that are known, by their ids."""
        return {each.id: each.to_dict() or {} for each in self.cloud.client.collection("payments").stream()}

    def _stored(self, path: str) -> dict[str, Any]:
        return self.cloud.client.document(path).get().to_dict() or {}


def _owner(name: str) -> str:
    return name if name.startswith("teams/") else f"users/{name}"
