"""The parts of benchmarks that stand in for the cloud, which nothing else would find out of date."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from functions.adapters.process_memory import PHOTOS_IN_MEMORY_MAX
from functions.core.rollouts.evidence import Block, Evidence, step
from scripts import bench
from scripts.benchmarks import abuse, bulkcost, cache, instant, photos, poll, rollout, rollout_stops
from scripts.benchmarks.processes import ROOT, python
from scripts.ecolane_cloud import ecolane_cloud


@pytest.mark.parametrize("mode", ["links", "inline"])
def test_a_small_batch_file_is_built_and_collected(mode: str) -> None:
    """Every line of it, by the product's own code."""
    figures = python("-m", "scripts.benchmarks.batchfile", 50, mode)
    assert figures["lines"] == 50
    assert figures["build_lines_per_s"] > 0 < figures["collect_lines_per_s"]


def test_a_small_bulk_job_is_measured() -> None:
    """A hundred photos, of which one is missing; each costs its reads and writes once."""
    figures = bulkcost.run(100)
    assert (figures["failed"], figures["deletes_per_photo"]) == (1, 0)
    assert figures["reads_per_photo"] > 2  # and the crons' own, shared by few photos here
    assert 3 <= figures["writes_per_photo"] < 6


def test_a_small_poll_is_measured() -> None:
    """Two batches are collected into a Firestore of their own, and every result is billed as one write."""
    figures = poll.collected(200, 100)
    assert (figures["runs"], figures["seconds"] > 0) == (1, True)
    assert 200 <= figures["writes"] <= 220


def test_a_small_crowd_is_served() -> None:
    """Users in a process of their own call the real function in another, and every call is answered."""
    with ecolane_cloud(firestore="embedded") as cloud:
        users = instant.signed_up(cloud)[:2]
        with instant.lane(cloud, users, latency_ms=0, instances=1) as (crowd, servers):
            before = servers.cpu_seconds()["functions"]
            seen = crowd(20)
            assert servers.cpu_seconds()["functions"] > before
            assert instant.rss_mb(servers.functions) > 50
            with instant.distant(cloud, milliseconds=0) as calls:
                crowd(20)
                # Photo, wallet with shard, charge, settlement; a few of the settings, or of a shard that had no room.
                assert 4 * 20 <= calls() < 5 * 20
    assert (seen.others, 0 < seen.p50 <= seen.p99) == ({}, True)


def test_an_instance_that_is_full_of_large_photos_stays_within_its_memory() -> None:
    """Four callers with eight photos of 10 MB each, at a real instance: it grows by what it may hold, the copies that a
    download makes included, and not by what it is sent."""
    figures = photos.run(callers=4, images=8, pixels=(800, 600))
    assert figures["photo_mb"] == 10
    assert figures["photos_taken"] == figures["photos"] == 32
    grown = figures["rss_mb_peak"] - figures["rss_mb_before"]
    assert grown < 150 + PHOTOS_IN_MEMORY_MAX * 2 * figures["photo_mb"]


def test_quiet_minutes_of_a_rollout_are_what_the_detector_makes_of_them() -> None:
    """A hundred minutes without a failure, taken in one step, leave what a hundred steps leave; so no run of a healthy
    path is spared a look."""
    started = walked = step(Evidence(), Block(rollout.HEALTHY_NEW, 2), rollout.LIMIT)
    for _ in range(100):
        walked = step(walked, Block(rollout.HEALTHY_NEW, 0), rollout.LIMIT)
    assert rollout.quiet_minutes(started, 100).above == pytest.approx(walked.above)


def test_a_stop_by_hand_is_measured() -> None:
    """From the stop to the last call that still went the new way: half a minute at most, and not at once."""
    assert 0 < rollout_stops.last_new_call("operator", 1, broken=True) <= 35


def test_a_small_rollout_is_simulated() -> None:
    """A path that always fails is stopped within ten calls at either load, and a path above the limit is not spared."""
    assert rollout.calls_to_stop(1.0, runs=3) <= 10
    assert rollout.false_rollbacks(0.01, runs=2) == 0
    assert rollout.false_rollbacks(0.15, runs=2) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "BENCH=nothing is not known"),
        (["wallet", "--requests", "5000"], "REQUESTS goes with BENCH=instant alone"),
        (["instant", "--requests", "1"], "1000"),
        (["cache"], "PHOTOS=folder goes with BENCH=cache"),
        (["wallet", "--photos", "."], "PHOTOS=folder goes with BENCH=cache"),
        (["cache", "--photos", "scripts"], "has no .jpg files"),
        (["wallet", "--picture", "x.svg"], "PICTURE=file.svg goes with BENCH=whole alone"),
        (["whole", "--picture", "scripts/nowhere/x.svg"], "PICTURE=scripts/nowhere/x.svg cannot be written: No such"),
        (["whole", "--picture", "scripts"], "PICTURE=scripts cannot be written: Is a directory"),
    ],
)
def test_a_benchmark_that_cannot_be_run_says_why(arguments: list[str], said: str) -> None:
    """One clear line, at once."""
    command = [sys.executable, "-m", "scripts.bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  (our own command)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_few_hostile_accounts_spoil_nobodys_day() -> None:
    """Honest people are answered, most of the budget is there in the evening, and strangers cost no read."""
    figures = abuse.day(2)
    assert figures["honest_answered_share"] == 1
    assert 0.9 < figures["budget_left_at_18h_share"] < 1
    assert 0 < figures["hostile_cost_micros_per_account"] < 10_000
    assert abuse.anonymous_reads() == 0


def test_figures_of_figures_are_rows_and_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A figure that has parts, at any depth, is an object in the JSON and a row for each part in the table."""
    figures = {"by_accounts": {"10": {"share": 0.5}, "20": {"share": 0.25}}, "reads": 3}
    monkeypatch.setattr(abuse, "run", lambda: figures)
    bench.main("abuse")
    *shown, line = capsys.readouterr().out.strip().splitlines()
    assert json.loads(line) == figures
    assert [row.split()[1:5] for row in shown if "by_accounts" in row] == [
        ["by_accounts", "10", "share", "│"],
        ["by_accounts", "20", "share", "│"],
    ]


def test_a_few_pictures_are_measured_for_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure comes out, from photos of a folder: a picture that is there twice under two names is a wrong hit."""
    monkeypatch.setattr(cache, "USERS", 1)
    monkeypatch.setattr(cache, "REQUESTS_PER_USER", 8)
    monkeypatch.setattr(cache, "SEEDS", 2)
    for number in range(8):
        chance = random.Random(number)  # noqa: S311 (a picture)
        picture = Image.frombytes("RGB", (20, 15), chance.randbytes(900)).resize((320, 240), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"glass--{number}.jpg")
    picture.save(tmp_path / "metal-1.jpg")
    figures = cache.run(tmp_path)
    assert (figures["new_photos"], figures["hits_new"], figures["wrong_hits_new"]) == (9, 2, 2)
    assert figures["found_reencoded"] == figures["found_messenger"] == 1
    assert 0 < figures["planted_5pct_off_after_checks"] <= 600


def test_a_planted_cache_is_found_out_and_a_good_one_is_left_alone() -> None:
    """Five in a hundred wrong at every distance: off within 600 checks. Five in a thousand: on after 2,000."""
    assert max(cache.checks_until_off(0.05, seed) for seed in range(20)) <= 600
    assert [cache.checks_until_off(0.005, seed) for seed in range(5)] == [cache.CHECKS_MAX] * 5
