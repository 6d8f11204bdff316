"""The accounts that the functions run as: each may do what its functions do, and nothing more."""

import base64
import json
import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.adapters.payments.answers import signed_now
from localcloud.openai.webhooks import sign
from localcloud.standins.deliveries import signature
from scripts.accounts import ACCOUNTS, commands
from scripts.inprocess import SELLING, SHOP_SECRET, InProcessCloud
from scripts.sample_calls import sample_calls
from scripts.shop_in_process import Shop
from tests.app import photo
from tests.house.test_manifest import endpoints
from tests.steps import befriend
from tests.wire import Wire, id_token, names, new_wire, operator_token

PAGE = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}
SECRET = "whsec_" + base64.b64encode(b"a secret of these tests").decode()
READS = {"read_photo", "read_input", "read_manifest", "list_uploads", "named_uploads", "read_list"}
LISTS = {"delete_batch_files", "delete_uploads", "delete_bulk_files"}
"""What has to find objects first: a role below a folder does not let anybody list it."""

Used = dict[str, set[str]]
"""The roles and secrets that each function has used."""


def needed(call: str) -> set[str]:
    """Return the roles and secrets that one call to the outside takes."""
    where, _, what = call.partition(".")
    match where:
        case "firestore":
            return {"datastore.user"}
        case "storage":
            if what == "report_link":
                return {"iam.serviceAccountTokenCreator"}
            signing = {"iam.serviceAccountTokenCreator"} if what == "put_photo" else set()
            listing = {"storage.objectViewer"} if what in LISTS else set()
            return {"storage.objectViewer" if what in READS else "storage.objectUser"} | signing | listing
        case "openai":
            return {"OPENAI_WEBHOOK_SECRET" if what == "read_webhook" else "OPENAI_API_KEY"}
        case "anthropic" | "azure" | "stripe" | "revenuecat":
            return {f"{where.upper()}_API_KEY"}
    return {"firebaseauth.admin"} if where == "auth" else {call}


@pytest.fixture(scope="module")
def used() -> Used:
    """What each function uses in a day of both lanes, with links, pushes, alerts and operators."""
    found: Used = defaultdict(set)
    serving = ""

    def note(call: str) -> None:
        if serving:  # before that the test itself sets things up
            found[serving] |= needed(call)

    with pytest.MonkeyPatch.context() as monkeypatch:
        cloud = InProcessCloud(seed=1, webhook_secret=SECRET)
        account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)

        def noted(call: str, act: Callable[..., Any]) -> Callable[..., Any]:
            def watched(*given: Any) -> Any:
                note(call)
                return act(*given)

            return watched

        for push in ("send", "alert"):
            act = noted("firebasecloudmessaging.admin", getattr(cloud.messaging, push))
            monkeypatch.setattr(cloud.messaging, push, act)
        alerting = SimpleNamespace(send=noted("ALERT_WEBHOOK_SECRET", lambda _: None))
        azure = {"azure_api_key": "stand-in", "azure_base_url": "https://azure.example", "azure_deployment": "photos"}
        keys = {"anthropic_api_key": "stand-in", **azure}
        cloud.restart({**keys, **SELLING}, alerting=alerting)
        cloud.interrupt = lambda call, when: note(call) if when == "before" else None
        for webhook in ("stripe_webhook", "revenuecat_webhook"):
            checks = noted(f"{webhook.upper()}_SECRET", signed_now)
            monkeypatch.setattr(f"functions.use_cases.payments.{webhook}.signed_now", checks)
        ask = noted("firebaseauth.viewer", lambda *_: account)
        monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", ask)
        with new_wire(monkeypatch, cloud) as wire:
            request = wire.request

            def watched(name: str, *args: Any, **kwargs: Any) -> Any:
                nonlocal serving
                serving = name
                return request(name, *args, **kwargs)

            monkeypatch.setattr(wire, "request", watched)
            live(wire)
    return found


def live(wire: Wire) -> None:
    """Use every function."""
    ann, root = id_token("ann"), operator_token()

    called: set[str] = set()

    def call(name: str, token: str = ann, /, **data: Any) -> Any:
        called.add(name)
        answer = wire.call(name, data, token)
        assert answer.status_code == 200, (name, answer.data)
        return json.loads(answer.data)["result"]

    orders = {"order": ["openai", "anthropic"], "batchOrder": ["anthropic"]}
    shop = Shop(cloud=wire.cloud)
    config = {
        "batch": {"signedUrls": True},
        "tokens": {"welcome": 100, "pointsPerToken": 1},
        "budget": {"alertUids": ["root"]},
        "billing": shop.billing,
        "shop": {"priorityDay": 1},
    }
    wire.cloud.configure({**config, "providers": orders})
    shop.buy("pro_month")
    wire.cloud.openai.faults.add(kind="refused", status=503, endpoint="POST /v1/chat/completions", count=2)
    for token, push_token in ((ann, "a" * 40), (root, "b" * 40)):
        call("register_device", token, deviceId="device-1", pushToken=push_token, platform="ios")
    path = wire.cloud.upload("ann", "can.jpg", photo(64))
    jobs = []
    for number, mode in enumerate(["instant", "batch", "batch", "batch"]):
        jobs.append(call("classify_image", requestId=f"request-{number}", imagePath=path, mode=mode)["jobId"])
    wire.cloud.configure({**config, "providers": {**orders, "order": ["azure"]}})
    call("classify_image", requestId="request-7", imagePath=path, mode="instant")
    call("upgrade_job", jobId=call("classify_image", requestId="request-8", imagePath=path, mode="batch")["jobId"])
    wire.cloud.configure({**config, "providers": orders})
    call("classify_images", images=[{"requestId": "request-9", "imagePath": path}])
    call("upgrade_job", jobId=jobs[1])
    call("cancel_job", jobId=jobs[2])
    bulk = in_bulk(call)
    call("get_job", jobId=jobs[0])
    call("report_answer", jobId=jobs[0], reason="other")
    call("claim_daily_bonus", deviceId="device-1")
    call("convert_points", requestId="convert-1", points=1)
    thing = {"requestId": "manual-1", "deviceId": "device-1", "itemName": "can", "category": "Dry Waste"}
    call("record_manual_classification", **thing)
    call("admin_set_config", root, changes={"budget": {"batchOnlyPercent": 1}})
    trade(wire, shop, call)
    call("delete_account", id_token("eve"), confirm="DELETE")
    for name in names("callable"):
        if name not in called:
            call(name, root, **sample_calls("root")[name])
    event, at = b'{"type": "batch.completed", "data": {"id": "batch_1"}}', str(int(time.time()))
    signature = sign(SECRET, "evt_1", at, event)
    wire.request("openai_webhook", event, webhook_id="evt_1", webhook_timestamp=at, webhook_signature=signature)
    for number in range(12):
        call("get_bulk", bulkId=bulk)
        if number == 1:  # what has come back from Anthropic goes to OpenAI
            wire.cloud.configure(config)
        if number == 6:  # nobody can follow the links of a bucket in memory: these photos are sent as they are
            wire.cloud.configure({"budget": {"alertUids": ["root"]}})
        for name in names("schedule"):
            assert wire.request(name, **SCHEDULERS).status_code == 200, name
        wire.cloud.clock.advance(timedelta(hours=4))


def in_bulk(call: Callable[..., Any]) -> str:
    """Start two bulk jobs, of which one is cancelled. Returns the other's id."""
    call("cancel_bulk", bulkId=call("start_bulk", requestId="bulk-two", prefix="can")["bulkId"])
    bulk = str(call("start_bulk", requestId="bulk-one", prefix="can")["bulkId"])
    return str(call("get_bulk", bulkId=bulk)["bulkId"])


def trade(wire: Wire, shop: Shop, call: Callable[..., Any]) -> None:
    """Use every function of the shop that an app or a seller calls."""
    call("start_checkout", requestId="checkout-1", product="tokens_100")
    call("create_team", operator_token(), **sample_calls("root")["create_team"])
    befriend(wire.cloud, "root")
    call("give_tokens", operator_token(), **sample_calls("root")["give_tokens"])
    call("open_billing_portal")
    call("set_pay_per_use", monthMaxMinor=1_000)
    call("sync_purchases")
    call("sync_purchases", checkoutId=shop.start(uid="ann")["checkoutId"])
    hook(wire, "stripe_webhook", "Stripe-Signature", {"type": "invoice.paid", "data": {"object": {"id": "in_1"}}})
    tested = {"event": {"type": "TEST", "app_user_id": "ann"}}
    hook(wire, "revenuecat_webhook", "X-RevenueCat-Webhook-Signature", tested)


def hook(wire: Wire, name: str, header: str, event: dict[str, Any]) -> None:
    """Send a signed event."""
    body = json.dumps(event).encode()
    wire.request(name, body, **{header.replace("-", "_"): signature(SHOP_SECRET, int(time.time()), body)})


def granted(function: str) -> set[str]:
    """Return the roles and secrets that a function is given."""
    endpoint = endpoints()[function]
    secrets = {secret["key"] for secret in endpoint["secretEnvironmentVariables"]}
    return secrets | {grant.role for grant in ACCOUNTS[endpoint["serviceAccountEmail"].removesuffix("@")]}


def test_each_function_is_given_what_it_uses(used: Used) -> None:
    """What is missing would be an error 403 in production, which no emulator shows."""
    missing = {name: calls - granted(name) for name, calls in used.items() if not calls <= granted(name)}
    assert not missing, f"scripts/accounts.py: grant these roles; main.py: declare these secrets: {missing}"


def test_no_account_is_given_what_none_of_its_functions_uses(used: Used) -> None:
    """Code that breaks in one function reaches what functions of its kind need."""
    superfluous = {}
    for account, grants in ACCOUNTS.items():
        functions = [name for name, each in endpoints().items() if each["serviceAccountEmail"] == f"{account}@"]
        assert functions, f"scripts/accounts.py: remove {account}, which no function runs as"
        roles = {grant.role for grant in grants} - {"logging.logWriter"}
        superfluous[account] = roles - set().union(*(used[name] for name in functions))
    found = {account: roles for account, roles in superfluous.items() if roles}
    assert not found, f"scripts/accounts.py: take away what no function of the account uses: {found}"


def test_no_function_is_given_a_secret_that_it_does_not_use(used: Used) -> None:
    """A key is where it is needed, and nowhere else."""
    secrets = {name: {s["key"] for s in each["secretEnvironmentVariables"]} for name, each in endpoints().items()}
    found = {name: keys - used[name] for name, keys in secrets.items() if keys - used[name]}
    assert not found, f"main.py: remove secrets that these functions do not use: {found}"


def test_three_accounts_write_and_each_below_its_folders() -> None:
    """Only the eraser, which no user can call, can change or remove what a user has uploaded."""
    writers = {
        (account, grant.below)
        for account, grants in ACCOUNTS.items()
        for grant in grants
        if grant.on == "bucket" and grant.role != "storage.objectViewer"
    }
    bulks = {("ecolane-bulk", "bulks/"), ("ecolane-eraser", "bulks/")}
    expected = {("ecolane-batches", "batches/"), ("ecolane-eraser", "users/"), *bulks}
    assert writers == expected, "scripts/accounts.py: let others read the bucket only"


def test_the_security_page_has_every_role() -> None:
    """SECURITY.md has a row for each role, with the accounts that have it."""
    told = {}
    for line in PAGE.partition("## Roles")[2].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            told[cells[0].strip("`")] = {name.strip(" `") for name in cells[1].split(",")}
    roles = defaultdict(set)
    for account, grants in ACCOUNTS.items():
        for grant in grants:
            roles[grant.role].add(account.removeprefix("ecolane-"))
    everybody = {account.removeprefix("ecolane-") for account in ACCOUNTS}
    given = {role: {"each"} if accounts == everybody else accounts for role, accounts in roles.items()}
    assert told == given, "SECURITY.md, Roles: a row for each role of scripts/accounts.py, with its accounts"


def test_whoever_asks_about_every_token_may_ask() -> None:
    """With CHECK_REVOKED_TOKENS each account that a callable runs as may look a user up, and no other may."""
    of_callables = {
        each["serviceAccountEmail"].removesuffix("@") for each in endpoints().values() if "callableTrigger" in each
    }
    script = "\n".join(commands("eco", "eco.appspot.com", remote_config=False, check_revoked=True))
    asking = set(re.findall(r"serviceAccount:([\w-]+)@\S+ --role roles/firebaseauth.viewer", script))
    assert asking == of_callables, "scripts/accounts.py, CALLABLES: the accounts of callables"


def test_the_commands_are_what_a_shell_takes(tmp_path: Path) -> None:
    """Piped into sh they call gcloud once for each account and role, with one argument where one is meant."""
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/bin/sh\nfor each in "$@"; do printf "%s|" "$each"; done >> "$CALLS"\necho >> "$CALLS"\n')
    gcloud.chmod(0o755)
    script = "\n".join(commands("eco", "eco.appspot.com", remote_config=True, check_revoked=False))
    environment = {"PATH": f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin", "CALLS": str(tmp_path / "calls")}
    subprocess.run(["/bin/sh", "-e"], input=script, text=True, env=environment, check=True)
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    expected = sum(len(grants) + 2 for grants in ACCOUNTS.values())  # its description, and Remote Config's role
    assert len(calls) == expected
    conditional = [call for call in calls if "startsWith" in call]
    for each, name in zip(conditional, ("batches", "bulks", "users", "bulks"), strict=True):
        folder = f"projects/_/buckets/eco.appspot.com/objects/{name}/"
        assert f'|title={name},expression=resource.name.startsWith("{folder}")|' in each
