"""What every callable answers, each to its sample call, for whatever has to hold of all answers."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.inprocess import InProcessCloud
from scripts.sample_calls import sample_calls
from scripts.shop_in_process import Shop
from tests.app import photo
from tests.steps import befriend
from tests.wire import content, names, new_wire, operator_token

RICH = {"tokens": {"welcome": 100, "pointsPerClassification": 1_000}}
CLOSED = {"budget": {"overrideMode": "closed", "overrideUntil": "2100-01-01T00:00:00Z"}}


def every_answer(monkeypatch: pytest.MonkeyPatch, *, closed: bool = False) -> dict[str, dict[str, Any]]:
    """Return the answer of each callable by its name, to an operator with tokens, points and jobs that wait.

    With `closed` the budget is, so that some are refused: then it is the error.
    """
    cloud = InProcessCloud(seed=1)
    cloud.clock.advance(timedelta(microseconds=123_456))  # a time in production has fractions
    shop = Shop(cloud=cloud)
    shop.is_customer()
    selling = RICH | {"billing": shop.billing, "shop": {"priorityDay": 5}}
    cloud.configure(selling)
    cloud.upload("ann", "photo.jpg", photo(64))
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    found = {}
    with new_wire(monkeypatch, cloud) as wire:

        def call(name: str, data: dict[str, Any]) -> dict[str, Any]:
            told: dict[str, Any] = content(wire.call(name, data, operator_token("ann")))
            assert closed or "result" in told, f"{name} refuses its sample call, {json.dumps(data)}: {told}"
            answer: dict[str, Any] = told.get("result") or told["error"]
            return answer

        order = sample_calls("ann")["classify_image"]
        lanes = {"report_answer": "instant"}  # which needs an answer; the others need a job that waits
        jobs = {
            name: call(
                "classify_image",
                {**order, "requestId": f"sample-{number}", "mode": lanes.get(name, "batch")},
            )["jobId"]
            for number, name in enumerate(names("callable"))
            if "jobId" in sample_calls("ann")[name]
        }
        if closed:
            cloud.configure(selling | CLOSED)
            cloud.clock.advance(timedelta(minutes=1))  # settings are read anew
        for name in sorted(names("callable"), key=lambda each: each == "delete_account"):  # after which there is nobody
            if name == "give_tokens":
                befriend(cloud, "ann")
            found[name] = call(name, sample_calls("ann", jobs.get(name, ""))[name])
    return found
