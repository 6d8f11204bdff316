"""`admin payments` and `admin billing`, run as a person runs them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.admin import app
from scripts.inprocess import replaced
from scripts.operators import session
from scripts.shop_in_process import Shop
from tests.steps import listed

Run = Callable[..., Result]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose webhooks do not arrive, which the commands take for the project."""
    shop = Shop(deaf=True).visited()
    monkeypatch.setattr(session, "connect", lambda _project: shop.cloud.operator())
    return shop


@pytest.fixture
def run() -> Run:
    """Run the command."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}
    return lambda *arguments: CliRunner().invoke(app, arguments, env=environment)


def paid(shop: Shop, product: str = "tokens_100", number: str = "4242424242424242") -> str:
    """Buy something that is credited. Returns the payment's name."""
    known = set(shop.payments())
    shop.buy(product, number=number)
    shop.later(minutes=15)
    (name,) = set(shop.payments()) - known
    return name


def test_a_users_payments_are_found_and_shown(shop: Shop, run: Run) -> None:
    """By the user, or by the id at Stripe that the customer's receipt has; with their entries."""
    name = paid(shop)
    for what in ("ann", name.partition(":")[2]):
        found = run("payments", "find", what).output
        assert name in found
        assert "4.99 usd" in found
        assert "100 of 100" in found
    assert "no such payments" in run("payments", "find", "nobody").output
    assert "no such payments" in run("payments", "find", "pi_none").output
    shown = run("payments", "show", name).output
    assert "100 given, 100 in the ledger, worth 100" in shown
    assert f"buy:{name}" in shown
    assert len(json.loads(run("payments", "show", name, "--json").stdout)["entries"]) == 1
    refused = run("payments", "show", "stripe:pi_none")
    assert (refused.exit_code, "there is no payment" in refused.output) == (1, True)
    assert "say whose, or --unclaimed" in run("payments", "find").output


@pytest.mark.parametrize("product", ["tokens_100", "pro_month"])
def test_a_refund_is_made_once_and_takes_its_tokens_back(shop: Shop, run: Run, product: str) -> None:
    """In part, then the rest; a plan's period as well. Each is on record."""
    name = paid(shop, product)
    minor = 499 if product == "tokens_100" else 899
    done = run("payments", "refund", name, "--minor", "99", "--why", "a mistake", "--yes")
    assert "0.99 usd refunded" in done.output
    assert shop.tokens()[0] == 100 * (minor - 99) // minor
    done = run("payments", "refund", name, "--why", "all of it", "--yes")
    assert f"{(minor - 99) / 100:.2f} usd refunded" in done.output
    assert shop.tokens() == (0, 0)
    refused = run("payments", "refund", name, "--why", "again", "--yes")
    assert (refused.exit_code, "0.00 usd are left" in refused.output) == (1, True)
    assert len(shop.client.refunds.list({}).data) == 2
    assert [(each["action"], each["target"], each["by"]) for each in listed(shop.cloud, "audit").values()] == [
        ("refund-payment", name, "mia"),
        ("refund-payment", name, "mia"),
    ]


def test_a_refund_that_was_made_and_whose_reply_was_lost_is_not_made_again(shop: Shop, run: Run) -> None:
    """Stripe knows the same refund of the same payment, as far as it was refunded, by its key."""
    name = paid(shop)
    shop.cloud.operator().stripe.refund(name.partition(":")[2], 100, f"{name}:0:0:100")
    run("payments", "refund", name, "--minor", "100", "--why", "again", "--yes")
    assert len(shop.client.refunds.list({}).data) == 1
    assert shop.tokens()[0] == 79


def test_a_refund_that_failed_at_its_bank_can_be_made_again(shop: Shop, run: Run) -> None:
    """The same sum an hour later: Stripe would answer with the one that failed if it were asked by the same key."""
    name = paid(shop, number="4000000000005126")
    run("payments", "refund", name, "--why", "a mistake", "--yes")
    assert shop.tokens() == (0, 0)
    shop.later(hours=1)
    assert shop.tokens() == (100, 0)
    run("payments", "refund", name, "--why", "its bank was closed", "--yes")
    assert len(shop.client.refunds.list({}).data) == 2
    assert shop.tokens() == (0, 0)


def test_what_was_refunded_without_us_is_not_refunded_again(shop: Shop, run: Run) -> None:
    """Stripe refuses, in one line that says what to do; after a look there is nothing left."""
    name = paid(shop)
    shop.client.refunds.create({"payment_intent": name.partition(":")[2]})
    refused = run("payments", "refund", name, "--why", "x", "--yes")
    assert (refused.exit_code, "charge_already_refunded. Look first" in refused.output) == (1, True)
    run("payments", "reconcile", "ann")
    assert "0.00 usd are left" in run("payments", "refund", name, "--why", "x", "--yes").output


def test_what_stores_sold_only_they_refund(shop: Shop, run: Run) -> None:
    """The command says so."""
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.sync()
    (name,) = shop.payments()
    refused = run("payments", "refund", name, "--why", "x", "--yes")
    assert (refused.exit_code, "only its store can refund this" in refused.output) == (1, True)


def test_one_user_is_brought_to_what_the_providers_show(shop: Shop, run: Run) -> None:
    """Refunds that nobody has told us of, at Stripe and in a store; it is on record."""
    name = paid(shop)
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.client.refunds.create({"payment_intent": name.partition(":")[2]})
    shown = run("payments", "reconcile", "ann")
    assert "0 of 0" in shown.output
    assert "100 of 100" in shown.output
    assert shop.tokens() == (100, 0)
    (entry,) = listed(shop.cloud, "audit").values()
    assert (entry["action"], entry["target"]) == ("reconcile", "ann")


def test_all_events_of_some_days_are_looked_at(shop: Shop, run: Run) -> None:
    """More than the cron does by itself: what was bought a week ago, and nobody has looked at since."""
    shop.buy()
    shop.buy("pro_month")
    shop.tick(days=7)
    assert shop.tokens() == (0, 0)
    assert run("payments", "reconcile", "--since", "8").exit_code == 0
    assert shop.tokens() == (200, 0)
    assert "say a uid, or --since DAYS" in run("payments", "reconcile").output


def test_an_unclaimed_payment_is_given_to_its_user(shop: Shop, run: Run) -> None:
    """Once, on record; whoever has shown that it is theirs."""
    shop.cloud.revenuecat.buy("old_id", "tokens_100")
    shop.hear()
    shop.cloud.revenuecat.buy("old_id", "tokens_100")
    shop.tick()
    (name, other) = sorted(shop.payments())
    assert name in run("payments", "find", "--unclaimed").output
    done = run("payments", "claim", name, "ann", "--why", "showed the receipt", "--yes")
    assert f"ann has 100 tokens from {name}" in done.output
    assert shop.tokens() == (100, 0)
    found = run("payments", "find", "--unclaimed").output
    assert (name in found, other in found) == (False, True)
    refused = run("payments", "claim", name, "ann", "--why", "again", "--yes")
    assert (refused.exit_code, "ann has this payment already" in refused.output) == (1, True)
    (entry,) = listed(shop.cloud, "audit").values()
    assert (entry["action"], entry["target"], entry["why"]) == ("claim", name, "showed the receipt")


def test_a_closed_teams_pack_is_given_to_a_user(shop: Shop, run: Run) -> None:
    """Its payer can be found and the books agree, before as after; a pack for a team that is there is the team's."""
    team_id = shop.team("bob")
    page = shop.start(uid="bob", payer=team_id)["url"].rpartition("/")[2]
    shop.buy(uid="bob", payer=team_id)
    shop.later(minutes=15)
    (name,) = shop.payments()
    assert f"team/{team_id}" in run("payments", "find", "bob").output
    shown = run("payments", "show", name).output
    assert (f"team/{team_id}" in shown, "100 given, 100 in the ledger, worth 100" in shown) == (True, True)
    assert json.loads(run("billing", "status", "--drift", "--json").stdout)["drift"] == {}
    delete_account(DeleteAccount(confirm="DELETE"), "bob", shop.cloud.deps)
    shop.cloud.stripe.pay(page)
    shop.later(minutes=15)
    (waits,) = set(shop.payments()) - {name}
    done = run("payments", "claim", waits, "ann", "--why", "their team is closed", "--yes")
    assert f"ann has 100 tokens from {waits}" in done.output
    shop.later(days=1)
    assert (shop.tokens(), json.loads(run("billing", "status", "--drift", "--json").stdout)["drift"]) == ((100, 0), {})


def test_whether_the_books_agree_and_whose_do_not(shop: Shop, run: Run) -> None:
    """A line for each user whose ledger has something else than the payments say."""
    name = paid(shop)
    shop.later(days=1)
    shown = run("billing", "status").output
    assert "100 given, 100 in ledgers: they agree" in shown
    assert "tokens_100" in shown
    shop.cloud.client.document(f"users/ann/ledger/buy:{name}").update({"bought": 7})
    shown = run("billing", "status", "--drift").output
    assert "they DIFFER by 93" in shown
    assert "ann: payments have given 100, the ledger has 7" in shown
    assert json.loads(run("billing", "status", "--drift", "--json").stdout)["drift"] == {"ann": [100, 7]}


def test_without_a_key_nothing_is_asked(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says which variable the shell lacks."""
    name = paid(shop)
    operator = shop.cloud.operator()
    keyless = session.OperatorDeps(replace(operator.settings, stripe_api_key=""), shop.cloud.clock)
    monkeypatch.setattr(session, "connect", lambda _project: replaced(keyless, store=operator.store))
    refused = run("payments", "refund", name, "--why", "x", "--yes")
    assert (refused.exit_code, "STRIPE_API_KEY is not set" in refused.output) == (1, True)


def test_a_plan_that_an_operator_has_set_ends_in_the_one_that_is_paid_for(shop: Shop, run: Run) -> None:
    """Within a day; and whoever pays for none is on the free plan. Nothing has changed at Stripe meanwhile."""
    paid(shop, "plus_month")
    shop.later(days=1)
    until = f"{shop.cloud.clock() + timedelta(days=3):%Y-%m-%d}"
    assert run("set-plan", "ann", "pro", "--until", until, "--why", "a present", "--yes").exit_code == 0
    plans = []
    for _ in range(5):
        shop.later(days=1)
        get_wallet(GetWallet(), "ann", shop.cloud.deps)
        plans.append(shop.plan())
    assert (plans[:2], plans[-1]) == (["pro", "pro"], "plus")
    assert all(shop.payer()["shown"].values()), "what was looked at is known again"
