"""Days that are played before pages are looked at: what is seen there adds up."""

import io
from collections import Counter
from datetime import UTC, datetime

import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer, in_process_client
from scripts.ecolane_cloud import PROJECT, ROOT
from scripts.played_days import VISITOR, PlayedDays

NOW = datetime(2026, 11, 22, 20, 10, tzinfo=UTC)


def played(days: int, seed: int = 1, now: datetime = NOW) -> tuple[Client, list[str]]:
    """Return a client of a Firestore with so many days in it, and the paths of the photos to show."""
    server, photos = FirestoreServer(indexes=ROOT / "firestore.indexes.json"), list[str]()
    list(PlayedDays(days, server, lambda path, _: photos.append(path), io.StringIO(), now, seed))
    return in_process_client(server, PROJECT), photos


@pytest.fixture(scope="module")
def days() -> tuple[Client, list[str]]:
    """Five of them."""
    return played(5)


def test_every_day_has_its_usage_and_it_is_the_sum_of_its_jobs(days: tuple[Client, list[str]]) -> None:
    """What a chart shows of a day is what the rows of that day come to, as the last guard counted them."""
    client, _ = days
    jobs = [job.to_dict() or {} for job in client.collection("aiJobs").stream()]
    usage = {each.id: each.to_dict() or {} for each in client.collection("usage").stream()}
    assert sorted(usage) == [f"2026-11-{number}" for number in range(18, 23)]
    for day, noted in usage.items():
        arrived = Counter(job["requestedMode"] for job in jobs if job["day"] == day)
        counted = Counter[str]()
        for slot in noted["slots"]:
            counted.update(slot["arrivals"])
        assert +counted <= arrived
        assert sum(arrived.values()) - sum(counted.values()) < 12  # since the day's last guard
    assert {job["status"] for job in jobs} >= {"done"}
    assert {job["mode"] for job in jobs} == {"instant", "batch"}


def test_days_before_a_model_had_a_price_cost_what_it_does_now() -> None:
    """A model is younger than the days that are asked for: its first batch price is of October 13."""
    client, _ = played(3, now=datetime(2026, 10, 14, 20, 10, tzinfo=UTC))
    jobs = [job.to_dict() or {} for job in client.collection("aiJobs").stream()]
    assert sum(job["costMicros"] for job in jobs if job["day"] == "2026-10-12") > 0


def test_every_wallet_is_the_sum_of_its_entries(days: tuple[Client, list[str]]) -> None:
    """Only functions have moved tokens."""
    client, _ = days
    wallets = list(client.collection_group("wallet").stream())
    assert len(wallets) > 5
    for wallet in wallets:
        uid = wallet.reference.path.split("/")[1]
        entries = client.collection("users", uid, "ledger").stream()
        assert wallet.get("balance") == sum(entry.get("delta") for entry in entries)


def test_the_photos_that_can_be_seen_are_there(days: tuple[Client, list[str]]) -> None:
    """All of the visitor's, and of others those that a batch may still need."""
    client, photos = days
    jobs = [job.to_dict() or {} for job in client.collection("aiJobs").stream()]
    assert {job["imagePath"] for job in jobs if job["uid"] == VISITOR or job["status"] == "queued"} <= set(photos)


def test_nothing_is_left_with_a_provider_that_ends_with_the_play(days: tuple[Client, list[str]]) -> None:
    """What is queued at the end is for the cloud that goes on: nobody else knows of a batch that is under way."""
    client, _ = days
    assert {batch.get("state") for batch in client.collection("batches").stream()} == {"done"}


def test_the_same_seed_is_the_same_life() -> None:
    """Pictures made from it stay as they are; another seed is another life."""
    lives = []
    for seed in (1, 1, 2):
        client, _ = played(2, seed)
        jobs = sorted((job.get("createdAt"), job.get("uid")) for job in client.collection("aiJobs").stream())
        lives.append(jobs)
    assert lives[0] == lives[1] != lives[2]
