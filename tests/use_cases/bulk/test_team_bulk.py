"""Bulk jobs that a team pays: what the team is charged and gets back, whatever becomes of the member or the team; and
if a process dies at any of it."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.errors import EcolaneError, InsufficientTokens, KeyReused
from functions.core.wallet.refusals import AccountBlocked, MemberLimit, PlanRequired, TeamNotFound
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.erase_accounts import erase_accounts
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.use_cases.wallet.save_preset import SavePreset, save_preset
from scripts.inprocess import InProcessCloud
from tests.steps import BATCH_CRONS, UNLIMITED, listed, stored, wallet
from tests.test_crashes import Killer, When
from tests.use_cases.bulk.test_bulk import cancel, look, report, start, tick, until_ended, uploaded
from tests.use_cases.bulk.test_bulk_crashes import WHENS, only_bulk
from tests.use_cases.teams.test_teams import balanced, change, dies_after_the_commit, grant, join, team_of, used

PHOTOS = 14


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud in which the submitter takes six photos a run."""
    return made()


def made() -> InProcessCloud:
    """Return one."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"batch": {"jobsPerBatch": 6, "batchesPerRun": 1}})
    return cloud


def a_team(cloud: InProcessCloud, photos: int = PHOTOS, limit: int = 50) -> str:
    """Found a team of a hundred tokens, with Ann in it, who has so many photos."""
    team_id = team_of(cloud)
    join(cloud, team_id, "ann", limit=limit)
    uploaded(cloud, photos)
    return team_id


def half_done(cloud: InProcessCloud) -> str:
    """Six photos are at the provider, six are queued, two are not taken on yet. Returns the team."""
    team_id = a_team(cloud)
    start(cloud, payer=team_id)
    tick(cloud)
    run_bulk(cloud.deps)
    assert Counter(job["status"] for job in listed(cloud, "aiJobs").values()) == {"processing": 6, "queued": 6}
    return team_id


def test_a_team_pays_a_bulk_job(cloud: InProcessCloud) -> None:
    """Once, for all photos and at the start, counted for the member; each photo is the team's, and its user's own
    wallet is not even made."""
    team_id = a_team(cloud)
    bulk = start(cloud, payer=team_id)
    assert (bulk["payer"], bulk["tokensCost"]) == (team_id, PHOTOS)
    assert start(cloud, payer=team_id) == bulk
    assert (balanced(cloud, team_id), used(cloud, team_id, "ann")) == (100 - PHOTOS, PHOTOS)
    ended = until_ended(cloud, bulk["bulkId"])
    assert (ended["state"], ended["done"], balanced(cloud, team_id)) == ("done", PHOTOS, 100 - PHOTOS)
    assert {job["payer"] for job in listed(cloud, "aiJobs").values()} == {team_id}
    assert len(list_jobs(ListJobs(team=team_id, limit=100), "olga", cloud.deps)["jobs"]) == PHOTOS
    assert stored(cloud, f"teams/{team_id}/wallet/main")["points"] == 10 * PHOTOS
    assert (wallet(cloud), len(report(cloud, bulk["bulkId"]))) == ({}, PHOTOS)
    with pytest.raises(KeyReused, match="payer"):
        start(cloud)


def test_what_a_team_does_not_pay_is_not_started(cloud: InProcessCloud) -> None:
    """Beyond the member's limit or the team's tokens, for a blocked member, on a plan without bulk jobs, and for
    strangers, who hear of nothing else; nor does the member pay instead."""
    team_id = a_team(cloud, limit=PHOTOS - 1)
    refusals: list[type[EcolaneError]] = []

    def refused() -> None:
        with pytest.raises(EcolaneError) as error:
            start(cloud, payer=team_id)
        refusals.append(error.type)

    refused()
    change(cloud, team_id, "olga", "ann", noLimit=True)
    grant(cloud, team_id, 1 + PHOTOS - 102)
    refused()
    cloud.configure({"plans": {"free": {**UNLIMITED, "features": []}}})
    cloud.clock.advance(timedelta(minutes=1))
    refused()
    cloud.client.document(f"teams/{team_id}/wallet/main").update({"members.ann.blockedAt": cloud.clock()})
    refused()
    change(cloud, team_id, "olga", "ann", remove=True)
    refused()
    assert refusals == [MemberLimit, InsufficientTokens, PlanRequired, AccountBlocked, TeamNotFound]
    assert (listed(cloud, "bulkJobs"), wallet(cloud)) == ({}, {})
    assert not any(path.startswith("bulks/") for path in cloud.files.objects)


def test_a_preset_says_who_pays(cloud: InProcessCloud) -> None:
    """Of many photos in one call as well; what the call says itself counts before."""
    from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images  # noqa: PLC0415

    team_id = a_team(cloud)
    save_preset(SavePreset(preset="work", payer=team_id), "ann", cloud.deps)
    bulk = start(cloud, preset="work")
    assert (bulk["payer"], balanced(cloud, team_id)) == (team_id, 100 - PHOTOS)
    image = {"requestId": "request-1", "imagePath": "users/ann/uploads/trip-0000.jpg"}
    request = ClassifyImages.model_validate({"images": [image], "preset": "work"})
    for _ in range(2):
        answer = classify_images(request, "ann", cloud.deps)
        assert answer["results"][0]["job"]["payer"] == team_id
        save_preset(SavePreset(preset="work"), "ann", cloud.deps)
    assert start(cloud, preset="work") == bulk
    with pytest.raises(KeyReused, match="payer"):
        start(cloud, preset="work", payer="0" * 32)
    with pytest.raises(TeamNotFound):
        start(cloud, "bulk-two", preset="work", payer="0" * 32)
    assert balanced(cloud, team_id) == 99 - PHOTOS


def test_a_cancelled_bulk_job_gives_the_team_back_what_is_not_done(cloud: InProcessCloud) -> None:
    """And the member may spend it again this month."""
    team_id = half_done(cloud)
    told = cancel(cloud, only_bulk(cloud))
    assert (told["refunded"], balanced(cloud, team_id)) == (2, 100 - 12)
    ended = until_ended(cloud, only_bulk(cloud))
    assert (ended["state"], ended["done"], ended["cancelled"], ended["refunded"]) == ("cancelled", 6, 6, 8)
    assert (balanced(cloud, team_id), used(cloud, team_id, "ann"), wallet(cloud)) == (94, 6, {})


def test_a_bad_photo_comes_back_to_the_team(cloud: InProcessCloud) -> None:
    """One that is gone when its page comes, and one that is gone when its batch is built."""
    team_id = a_team(cloud)
    start(cloud, payer=team_id)
    del cloud.files.objects["users/ann/uploads/trip-0001.jpg"]
    run_bulk(cloud.deps)
    del cloud.files.objects["users/ann/uploads/trip-0002.jpg"]
    ended = until_ended(cloud, only_bulk(cloud))
    assert (ended["done"], ended["failed"], ended["refunded"]) == (PHOTOS - 2, 2, 1)
    assert (balanced(cloud, team_id), used(cloud, team_id, "ann")) == (102 - PHOTOS, PHOTOS - 2)


@pytest.mark.parametrize("by", ["olga", "ann"], ids=["removed", "leaves"])
def test_who_is_in_the_team_no_more_has_no_bulk_job_of_it(cloud: InProcessCloud, by: str) -> None:
    """What is not done is cancelled and comes back to the team, by what the call does and the crons; what is at the
    provider is answered."""
    team_id = half_done(cloud)
    change(cloud, team_id, by, "ann", remove=True)
    assert balanced(cloud, team_id) == 94
    ended = until_ended(cloud, only_bulk(cloud))
    assert (ended["state"], ended["done"], ended["cancelled"], ended["taken"]) == ("cancelled", 6, 6, 12)
    assert (balanced(cloud, team_id), wallet(cloud), listed(cloud, "removals")) == (94, {}, {})
    assert Counter(line["status"] for line in report(cloud, only_bulk(cloud))) == {
        "done": 6,
        "cancelled": 6,
        "not_taken": 2,
    }


@pytest.mark.parametrize("back", [False, True], ids=["gone", "back"])
def test_a_removal_that_was_cut_off_takes_on_no_further_photo(cloud: InProcessCloud, back: bool) -> None:
    """Not even of somebody who is in the team again by then; what such a one starts anew stays."""
    team_id = half_done(cloud)
    cloud.interrupt = dies_after_the_commit()
    with pytest.raises(KeyboardInterrupt):
        change(cloud, team_id, "olga", "ann", remove=True)
    cloud.interrupt = lambda _call, _when: None
    cloud.clock.advance(timedelta(minutes=6))
    first = only_bulk(cloud)
    if back:
        join(cloud, team_id, "ann", limit=50)
        start(cloud, "bulk-two", payer=team_id)
    BATCH_CRONS[0](cloud.deps)  # the queued ones leave, so there is room for the last two
    run_bulk(cloud.deps)
    assert (look(cloud, first)["taken"], look(cloud, first)["state"]) == (12, "cancelling")
    recover_jobs(cloud.deps)
    ended = until_ended(cloud, first)
    assert (ended["state"], ended["done"], listed(cloud, "removals")) == ("cancelled", 12, {})
    if back:
        others = [each for each in listed(cloud, "bulkJobs") if each != first]
        assert until_ended(cloud, others[0])["done"] == PHOTOS
    assert balanced(cloud, team_id) == 100 - 12 - back * PHOTOS


def test_the_limit_of_a_membership_that_is_over_makes_no_room(cloud: InProcessCloud) -> None:
    """What comes back of an earlier one is the team's alone."""
    team_id = half_done(cloud)
    change(cloud, team_id, "olga", "ann", remove=True)
    join(cloud, team_id, "ann", limit=50)
    until_ended(cloud, only_bulk(cloud))
    assert (balanced(cloud, team_id), used(cloud, team_id, "ann")) == (94, 0)


def test_whoever_leaves_the_app_gives_the_team_its_tokens_back(cloud: InProcessCloud) -> None:
    """For photos that were never taken on, too, before the bulk job is forgotten."""
    team_id = half_done(cloud)
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    for _ in range(30):
        erase_accounts(cloud.deps)
        tick(cloud)
        cloud.clock.advance(timedelta(minutes=10))
    assert (listed(cloud, "bulkJobs"), balanced(cloud, team_id)) == ({}, 94)
    assert not [path for path in cloud.files.objects if "ann" in path]


def test_of_a_closed_team_nothing_is_taken_on_or_given_back(cloud: InProcessCloud) -> None:
    """Its tokens are given up; who was in it before sees the bulk job end."""
    team_id = half_done(cloud)
    cloud.interrupt = dies_after_the_commit()
    with pytest.raises(KeyboardInterrupt):
        change(cloud, team_id, "olga", "ann", remove=True)
    cloud.interrupt = lambda _call, _when: None
    cloud.clock.advance(timedelta(minutes=2))
    delete_account(DeleteAccount(confirm="DELETE"), "olga", cloud.deps)
    ended = until_ended(cloud, only_bulk(cloud))
    assert (ended["state"], ended["done"] + ended["cancelled"], ended["taken"]) == ("cancelled", 12, 12)
    assert (balanced(cloud, team_id), wallet(cloud)) == (0, {})


Run = Callable[[InProcessCloud], Any]


def the_team(cloud: InProcessCloud) -> str:
    """Return the id of the only team."""
    (path,) = listed(cloud, "users")["olga"]["teams"]
    return str(path)


def begun(cloud: InProcessCloud) -> None:
    """Ann has started a bulk job that the team pays."""
    start(cloud, payer=a_team(cloud))


def leave(cloud: InProcessCloud) -> None:
    """Ann is removed from the team."""
    change(cloud, the_team(cloud), "olga", "ann", remove=True)


def left(cloud: InProcessCloud) -> None:
    """And nothing else was done."""
    half_done(cloud)
    cloud.interrupt = dies_after_the_commit()
    with suppress(KeyboardInterrupt):
        leave(cloud)
    cloud.interrupt = lambda _call, _when: None
    cloud.clock.advance(timedelta(minutes=6))
    BATCH_CRONS[0](cloud.deps)  # so there is room for the last photos


def gone(cloud: InProcessCloud) -> None:
    """Ann has deleted her account."""
    half_done(cloud)
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)


SCENARIOS: dict[str, tuple[Run, Run]] = {
    "start": (a_team, lambda cloud: start(cloud, payer=the_team(cloud))),
    "take on": (begun, lambda cloud: run_bulk(cloud.deps)),
    "cancel": (half_done, lambda cloud: cancel(cloud, only_bulk(cloud))),
    "remove": (half_done, leave),
    "find out": (left, lambda cloud: run_bulk(cloud.deps)),
    "finish the removal": (left, lambda cloud: recover_jobs(cloud.deps)),
    "erase": (gone, lambda cloud: erase_accounts(cloud.deps)),
}


def calls_of(name: str, when: When) -> int:
    """Return how many outside calls a scenario begins, or comes back from, when nothing goes wrong."""
    prepare, run = SCENARIOS[name]
    cloud = made()
    prepare(cloud)
    cloud.interrupt = counter = Killer(at=0, when=when)
    run(cloud)
    return counter.calls


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_anywhere_loses_no_token_of_the_team(name: str, when: When) -> None:
    """The team has paid for what was answered, and for nothing else."""
    prepare, run = SCENARIOS[name]
    calls = calls_of(name, when)
    assert calls > 2
    for at in range(1, calls + 1):
        cloud = made()
        prepare(cloud)
        cloud.interrupt = killer = Killer(at, when)
        with suppress(BaseException):  # a client library may cover it with an error of its own
            run(cloud)
        cloud.restart()
        cloud.clock.advance(timedelta(minutes=2))  # locks of the dead process are gone
        if name in {"start", "cancel", "remove"}:
            run(cloud)
        settled(cloud)
        assert killer.dead, at


def settled(cloud: InProcessCloud) -> None:
    """Let the crons run until nothing is left to do, and check the books."""
    for _ in range(60):
        tick(cloud)
        erase_accounts(cloud.deps)
        bulks, jobs = listed(cloud, "bulkJobs").values(), listed(cloud, "aiJobs").values()
        open_jobs = [job for job in jobs if job["status"] in {"queued", "processing"}]
        if not open_jobs and not listed(cloud, "removals") and all(bulk["completedAt"] for bulk in bulks):
            break
        cloud.clock.advance(timedelta(minutes=10))
    done = [job for job in jobs if job["status"] == "done"]
    assert not open_jobs
    team_id = the_team(cloud)
    assert balanced(cloud, team_id) == 100 - sum(job["tokensCost"] for job in done)
    assert stored(cloud, f"teams/{team_id}/wallet/main")["points"] == 10 * len(done)
    assert wallet(cloud).get("balance", 0) == 0


def test_a_teams_bulk_job_bills_what_a_users_does() -> None:
    """Reads, writes and deletes, from the request to the report."""
    bills = []
    for team in (False, True):
        cloud = made()
        cloud.configure({"tokens": {"welcome": 200}, "batch": {"jobsPerBatch": 60, "batchesPerRun": 2}})
        payer = {"payer": a_team(cloud, photos=60, limit=60)} if team else {}
        if not team:
            uploaded(cloud, 60)
            get_wallet(GetWallet(), "ann", cloud.deps)  # opens it
        guard_budget(cloud.deps)
        cloud.firestore.bill.reset()
        until_ended(cloud, start(cloud, **payer)["bulkId"])
        bills.append(cloud.firestore.bill.snapshot()["totals"])
    assert bills[0] == bills[1]


def test_a_damaged_team_keeps_back_its_bulk_job_and_not_what_else_is_to_be_erased(cloud: InProcessCloud) -> None:
    """The user's photos go all the same; the team has its tokens back once it is repaired."""
    team_id = half_done(cloud)
    path = f"teams/{team_id}/wallet/main"
    balance = stored(cloud, path)["balance"]
    cloud.client.document(path).update({"balance": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    with suppress(RuntimeError):
        erase_accounts(cloud.deps)
    assert (len(listed(cloud, "bulkJobs")), [each for each in cloud.files.objects if "users/ann" in each]) == (1, [])
    cloud.client.document(path).update({"balance": balance})
    for _ in range(30):
        erase_accounts(cloud.deps)
        tick(cloud)
        cloud.clock.advance(timedelta(minutes=10))
    assert (listed(cloud, "bulkJobs"), balanced(cloud, team_id)) == ({}, 94)
