"""Counting how often a photo is another user's, too. Nobody else's photo answers."""

from typing import Any

import pytest

from functions.core.cache.report import Report
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import UNLIMITED, classify, job, listed, stored

SHADOW: dict[str, Any] = {"exact": "on", "shared": "shadow"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud that looks at every file."""
    monkeypatch.setattr("functions.core.cache.shared.SAMPLED_BELOW", 256)
    cloud = InProcessCloud(seed=1)
    cloud.configure({"cache": SHADOW, "tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}})
    guard_budget(cloud.deps)
    return cloud


def test_a_photo_of_two_users_is_counted_and_answers_neither(cloud: InProcessCloud) -> None:
    """The second one's job says so; a user's own photo again is a hit, and is not looked at."""
    first, again, other = classify(cloud, "one"), classify(cloud, "two"), classify(cloud, "three", uid="bob")
    assert [job(cloud, each)["shared"] for each in (first, again, other)] == [False, None, True]
    assert (other["servedFrom"], other["tokensCost"]) == (None, 5)
    assert len(listed(cloud, "cacheShared")) == 1
    guard_budget(cloud.deps)
    found = Report.model_validate(stored(cloud, "stats/cacheReport")["report"])
    assert (found.sampled, found.shared) == (2, 1)


def test_what_it_costs(cloud: InProcessCloud) -> None:
    """For each photo of the sample that is new a read, and a write if nobody has sent it."""
    bill = []
    for uid in ("probe", "ann", "bob"):
        cloud.firestore.bill.reset()
        classify(cloud, f"of-{uid}", region="Oslo" if uid == "probe" else None, uid=uid)
        totals = cloud.firestore.bill.snapshot()["totals"]
        bill.append((totals["reads"], totals["writes"]))
    assert bill[1][0] - bill[2][0] == 0
    assert bill[1][1] - bill[2][1] == 1


def test_a_look_that_fails_is_no_look(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo is classified."""

    def fail(*_: object) -> None:
        raise RuntimeError("Firestore is away")

    monkeypatch.setattr(cloud.deps.store, "shared_photos", fail)
    assert job(cloud, classify(cloud, "one"))["shared"] is None
