"""Whatever a client sends: an answer in the protocol's words, nothing of the inside in it, and books that balance."""

import base64
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from firebase_functions.https_fn import FunctionsErrorCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from werkzeug.test import TestResponse

from functions.core.config.runtime import RuntimeConfig
from functions.core.teams.invites import code_for
from functions.edge.callables import request_type
from functions.edge.http_errors import CODES
from localcloud.openai.webhooks import sign
from scripts.inprocess import InProcessCloud
from scripts.shop_in_process import Shop
from tests.app import photo
from tests.edge.test_tokens import FORGED
from tests.hostile import TEXTS, Known, as_body, bodies, from_schema, headers, junk, methods
from tests.steps import buy
from tests.wire import Wire, id_token, names, new_wire, operator_token, use_case

CALLABLES = names("callable")
CASES = int(os.environ.get("FUZZ_CASES", 210 * len(CALLABLES)))
"""Requests to all callables together, so many that each has its doors tried; `make test-long` sends more."""

TRIED_MIN, ROUNDS_MAX = 5, 4
"""How often each door is to be tried at least: in as many rounds, since what is drawn in one is much alike."""

REASONS = {error.reason for error in CODES}
MAY_COME_BACK = {error.reason for error, code in CODES.items() if code is FunctionsErrorCode.UNAVAILABLE}
"""What is documented as HTTP 503."""

ANSWER_BYTES_MAX = 2_000
"""A refusal is short: nobody gets back a megabyte that they have sent."""

UIDS = ["ann", "bob", "user@example.org", "идентификатор", "x" * 128, "__x", "ann.b-c_d", "root"]
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}
ROOM = {
    "tokens": {"welcome": 200, "balanceCap": 100_000, "pointsPerClassification": 10_000, "pointsPerToken": 1}
    | {"conversionTokensPerDay": 1_000, "bonusesPerDevice": 1_000, "manualPerDevice": 10_000},
    "shop": {"priorityDay": 1, "streakSaver": 1, "giftTokensPerDay": 10_000},
    "plans": {
        "free": {"instantPerDay": 10_000, "batchPerDay": 10_000, "manualPerDay": 1_000, "callsPerMinute": 10_000}
        | {"priority": 0}
    },
    "budget": {"dailyLimitMicros": 10_000_000_000, "monthlyLimitMicros": 100_000_000_000}
    | {"perUserDailyMicros": 10_000_000_000},
}
"""Limits so wide that requests in form get through to the end."""


class Town:
    """Users who have jobs in every state, and what is known of them."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.known = Known()
        self.jobs: dict[str, list[str]] = {uid: [] for uid in UIDS}
        self.tokens = {uid: operator_token(uid) if uid == "root" else id_token(uid) for uid in UIDS}
        self.calls = 0
        self.statuses: Counter[int] = Counter()
        shop = Shop(cloud=wire.cloud)
        wire.cloud.configure({**ROOM, "billing": shop.billing})
        for uid in UIDS:
            wire.cloud.upload(uid, "can.jpg", photo(32))
            for number, mode in enumerate(["instant", "batch", "batch", "batch"]):
                request = {"requestId": f"request-{number}", "imagePath": f"users/{uid}/uploads/can.jpg", "mode": mode}
                answer = wire.call("classify_image", request, self.tokens[uid])
                self.jobs[uid].append(json.loads(answer.data)["result"]["jobId"])
                if len(self.jobs[uid]) == 2:
                    self.tick()
        # `{uid}` and `{job}` stand for the caller's own, and `bob` for a victim.
        self.known.of("jobId").extend(["{job}"] * 3 + self.jobs["bob"])
        self.known.of("imagePath").extend(["users/{uid}/uploads/can.jpg"] * 3 + ["users/bob/uploads/can.jpg"])
        self.known.of("requestId").extend([f"request-{number}" for number in range(40)])
        self.known.of("product").extend(shop.prices)
        self.known.of("monthMaxMinor").extend(["0", "0", "0", "500"])
        self.known.of("images").extend(["users/{uid}/uploads/can.jpg"] * 3)
        self.known.of("prefix").extend(["can", ""])
        self.known.of("displayName").extend(["Ana", "Björk"])
        self.known.of("deviceId").extend(["device-1", "device-2"])
        self.known.of("cursor").extend(["seq-3", f"{10**15}-{'0' * 32}"])
        self.found_a_team(shop)
        for uid in UIDS:
            self.wire.call("save_preset", {"preset": "street"}, self.tokens[uid])
        self.known.of("preset").append("street")

    def found_a_team(self, shop: Shop) -> None:
        """Have all be in a team with tokens, which ann has founded, the last as an associate, and with bought ones that
        they can give each other."""
        asked = {"requestId": "team-of-ann-and-bob", "name": "Green"}
        self.team_id = json.loads(self.wire.call("create_team", asked, self.tokens["ann"]).data)["result"]["teamId"]
        for number, uid in enumerate(UIDS):
            key = f"invite-number-{number}-0123456789"
            role = "associate" if uid == UIDS[-1] else "member"
            invite = {"requestId": key, "teamId": self.team_id, "monthlyLimit": 1_000, "role": role}
            self.wire.call("invite_member", invite, self.tokens["ann"])
            self.wire.call("join_team", {"code": code_for(self.team_id, "ann", key)}, self.tokens[uid])
            buy(self.wire.cloud, uid, 5_000)
        for _ in range(5):
            shop.buy(uid="ann", payer=self.team_id)
        for name in ("teamId", "team", "payer"):
            self.known.of(name).extend([self.team_id] * 3)
        self.known.of("uid").extend(["ann", "bob"])

    def tick(self) -> None:
        """Let an hour pass and the crons run."""
        self.wire.cloud.clock.advance(timedelta(hours=1))
        for name in names("schedule"):
            assert self.wire.request(name, **SCHEDULERS).status_code == 200, name

    def send(self, name: str, body: bytes, token: str | None, method: str, more: dict[str, str]) -> TestResponse:
        """Send one request, and let time pass."""
        self.calls += 1
        self.wire.cloud.clock.advance(timedelta(seconds=1))
        if self.calls % 200 == 0:
            self.tick()
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = self.wire.request(name, body, method, **{"Content-Type": "application/json", **authorization, **more})
        self.statuses[answer.status_code] += 1
        return answer

    def examine(self) -> None:
        """Check the books: every balance is the sum of its ledger, and no job is there that nobody paid for."""
        client = self.wire.cloud.client
        stored = {job.id: job.to_dict() or {} for job in client.collection("aiJobs").stream()}
        jobs = {name: job["uid"] for name, job in stored.items()}
        of_bulk: dict[str, list[str]] = defaultdict(list)
        for name, job in stored.items():
            of_bulk[job["bulkId"] or ""].append(name)
        paid: dict[str, str] = {}
        for uid in UIDS:
            entries = [entry.to_dict() or {} for entry in client.collection("users", uid, "ledger").stream()]
            wallet = client.document("users", uid, "wallet", "main").get().to_dict() or {}
            assert wallet["balance"] == sum(entry["delta"] for entry in entries) >= 0
            paid |= {entry["ref"]: uid for entry in entries if entry["reason"] == "charge"}
            paid |= {name: uid for entry in entries if entry["reason"] == "bulk" for name in of_bulk[entry["ref"]]}
        found = [entry.to_dict() or {} for entry in client.collection("teams", self.team_id, "ledger").stream()]
        team = client.document("teams", self.team_id, "wallet", "main").get().to_dict() or {}
        assert team["balance"] == sum(entry["delta"] for entry in found) >= 0
        beside = {each.id for each in client.collection("teams", self.team_id, "associations").stream()}
        assert (len(beside), beside & team["members"].keys()) == (team["associateCount"], set())
        paid |= {entry["ref"]: jobs[entry["ref"]] for entry in found if entry["reason"] == "charge"}
        paid |= {name: jobs[name] for entry in found if entry["reason"] == "bulk" for name in of_bulk[entry["ref"]]}
        assert jobs.keys() == paid.keys()
        assert all(uid in (paid[job], "") for job, uid in jobs.items())  # whoever has left is named nowhere
        assert {user.id for user in client.collection("users").list_documents()} == set(UIDS)


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town of its own for each function."""
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    with new_wire(monkeypatch) as wire:
        yield Town(wire)


def requests(name: str, known: Known) -> SearchStrategy[object]:
    """Return requests in form for a function, from its own schema."""
    if name == "admin_set_config":
        sections = from_schema(RuntimeConfig.model_json_schema(), known)
        return st.builds(lambda changes: {"changes": changes}, sections)
    return from_schema(request_type(use_case(name)).model_json_schema(), known)


def callers(name: str) -> SearchStrategy[tuple[str, str | None]]:
    """Return who calls and with which token: mostly somebody with a good one."""
    welcome = ["root"] * 7 + ["ann"] if name.startswith("admin") else UIDS
    forged: list[str | None] = [None, *(made() for made in FORGED.values())]

    def caller(kind: int, number: int) -> tuple[str, str | None]:
        if kind == 0:
            return "ann", forged[number % len(forged)]
        return welcome[number % len(welcome)], "good"

    return st.builds(caller, st.integers(0, 5), st.integers(0, 10**6))


def require_well_told(answer: TestResponse, method: str) -> None:
    """Check one answer: documented, short, and silent about the inside."""
    text = answer.get_data(as_text=True)
    assert not any(word in text for word in ("Traceback", "site-packages", 'File "', "firebase_admin", "pydantic"))
    if method in {"HEAD", "OPTIONS"}:
        assert answer.status_code < 500
        return
    content = json.loads(text, parse_constant=pytest.fail)
    if answer.status_code == 200:
        assert set(content) == {"result"}
        return
    assert len(text) <= ANSWER_BYTES_MAX
    assert set(content) == {"error"}
    assert set(content["error"]) == {"status", "message", "details"}
    reason = content["error"]["details"]["reason"]
    assert reason in REASONS
    assert answer.status_code < 500 or reason in MAY_COME_BACK


@pytest.mark.parametrize("name", CALLABLES)
def test_a_callable_withstands_whatever_it_is_sent(town: Town, name: str) -> None:
    """Never a 5xx but the documented one, never a trace of the inside, never a document without a charge."""

    @settings(
        max_examples=-(-CASES // len(CALLABLES)),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies(requests(name, town.known)), callers(name), methods, headers)
    def withstands(body: bytes, caller: tuple[str, str | None], method: str, more: dict[str, str]) -> None:
        uid, mark = caller
        token = town.tokens[uid] if mark == "good" else mark
        body = body.replace(b"{uid}", json.dumps(uid)[1:-1].encode())
        body = body.replace(b"{job}", town.jobs[uid][town.calls % len(town.jobs[uid])].encode())
        require_well_told(town.send(name, body, token, method, more), method)

    for _ in range(ROUNDS_MAX):
        withstands()
        served = sum(count for status, count in town.statuses.items() if status not in {400, 401})
        if min(served, town.statuses[400], town.statuses[401]) >= TRIED_MIN:
            break
    else:
        pytest.fail(f"a door was never tried: {town.statuses}")
    town.tick()
    town.examine()
    assert town.calls >= CASES // len(CALLABLES)


# What others call


SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()
OTHERS_CASES = 1_000
event_ids = st.one_of(st.sampled_from(TEXTS), st.just("batch_1"), junk)
events = st.one_of(
    junk,
    st.fixed_dictionaries(
        {"type": st.one_of(st.sampled_from(["batch.completed", "batch.", "response.completed"]), junk)},
        optional={"data": st.one_of(st.fixed_dictionaries({"id": event_ids}), junk), "id": junk},
    ),
)
signatures = st.one_of(
    st.none(), st.sampled_from(["v1,", "v1,\xfc", "\xff", "v1," + "A" * 44, "v2,x v1,y", " " * 99, "v1," + "A" * 9_999])
)
header_texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)
times = st.sampled_from([None, None, None, "", "0", "-1", "9" * 20, "9" * 5_000, "1e9", "now", "\xb2", "nan"])


@settings(max_examples=OTHERS_CASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(events.map(as_body), st.binary(max_size=60)), signatures, st.one_of(st.none(), times), headers, methods
)
def test_the_webhook_withstands_whatever_it_is_sent(
    others: Wire, body: bytes, signature: str | None, at: str | None, more: dict[str, str], method: str
) -> None:
    """Without OpenAI's signature 400; with it whatever it says is taken, or means nothing. No word in any answer."""
    moment = str(int(time.time())) if at is None else at
    head = {"webhook-id": "evt_1", "webhook-timestamp": moment}
    honest = signature is None
    head["webhook-signature"] = sign(SECRET, "evt_1", moment, body) if signature is None else signature
    answer = others.request("openai_webhook", body, method, **{**head, **more})
    assert answer.status_code in ({200, 400} if honest and at is None else {400})
    assert answer.data == b""


@pytest.mark.parametrize("name", names("schedule"))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40),
    headers,
    methods,
)
def test_a_scheduled_function_withstands_whatever_it_is_sent(
    others: Wire, name: str, body: bytes, text: str, more: dict[str, str], method: str
) -> None:
    """It runs, or it does not, by Scheduler's headers alone."""
    head = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": text, "X-CloudScheduler-ScheduleTime": text}
    answer = others.request(name, body, method, **{**head, **more})
    assert (answer.status_code, answer.data) == ((200 if text or "X-CloudScheduler" in more else 403), b"")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions of a deploy that takes webhooks."""
    with new_wire(monkeypatch, InProcessCloud(webhook_secret=SECRET)) as wire:
        yield wire
