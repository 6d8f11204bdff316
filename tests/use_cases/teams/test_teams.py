"""Teams: founding, inviting, joining, changing, leaving; and what their members spend."""

from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import ServiceUnavailable

from functions.adapters.firestore.wallet import stored_fields
from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens, InvalidRequest, KeyReused
from functions.core.teams.refusals import InviteInvalid, LastOwner, NotTeamAdmin, TeamFull
from functions.core.teams.teams import TEAMS_MAX
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason
from functions.core.wallet.refusals import AccountBlocked, AccountDeleted, MemberLimit, TeamNotFound
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.teams.change_member import ChangeMember, change_member
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.get_team import GetTeam, get_team
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from scripts.inprocess import InProcessCloud, Interrupt
from tests.steps import PHOTO, UNLIMITED, alerts, classify, listed, statement, stored, ticks, wallet


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud whose users have no tokens of their own to fall back on, nor limits of the day."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"tokens": {"welcome": 7}, "plans": {"free": UNLIMITED}})
    return cloud


def team_of(cloud: InProcessCloud, owner: str = "olga", tokens: int = 100) -> str:
    """Found a team with so many tokens."""
    team_id = create_team(CreateTeam(requestId="team-of-" + owner, name="Green"), owner, cloud.deps)["teamId"]
    grant(cloud, team_id, tokens)
    return str(team_id)


def grant(cloud: InProcessCloud, team_id: str, tokens: int) -> None:
    """Give a team tokens."""
    team = cloud.deps.store.get_team(team_id)
    assert team is not None
    account = Account(team).post(tokens, Reason.GRANT, f"{tokens}", cloud.clock())
    (entry,) = account.new_entries
    cloud.client.document(f"teams/{team_id}/ledger/{entry.entry_id}").set(entry.model_dump(by_alias=True))
    cloud.client.document(f"teams/{team_id}/wallet/main").set(dict(stored_fields(account.wallet)))


def join(cloud: InProcessCloud, team_id: str, uid: str, limit: int = 10, by: str = "olga", **more: Any) -> None:
    """Invite somebody, who comes."""
    request = {"requestId": f"invite-{uid}-{cloud.clock():%d%H%M%S%f}", "teamId": team_id, "monthlyLimit": limit}
    code = invite_member(InviteMember.model_validate({**request, **more}), by, cloud.deps)["code"]
    join_team(JoinTeam(code=code), uid, cloud.deps)


def change(cloud: InProcessCloud, team_id: str, by: str, uid: str, **what: Any) -> dict[str, Any]:
    """Change a member."""
    return change_member(ChangeMember.model_validate({"teamId": team_id, "uid": uid, **what}), by, cloud.deps)


def shown(cloud: InProcessCloud, team_id: str, uid: str = "olga") -> dict[str, Any]:
    """Return the team as this member sees it."""
    return get_team(GetTeam(teamId=team_id), uid, cloud.deps)


def used(cloud: InProcessCloud, team_id: str, uid: str) -> int:
    """Return what a member has spent this month."""
    return next(int(each["used"]) for each in shown(cloud, team_id)["members"] if each["uid"] == uid)


def balanced(cloud: InProcessCloud, team_id: str) -> int:
    """Return the team's balance, which is the sum of its entries."""
    entries = listed(cloud, f"teams/{team_id}/ledger").values()
    balance = int(stored(cloud, f"teams/{team_id}/wallet/main")["balance"])
    assert sum(each["delta"] for each in entries) == balance
    return balance


# Membership


def test_a_team_is_founded_once(cloud: InProcessCloud) -> None:
    """The same key answers with the same team; its founder owns it, and is in it."""
    made = create_team(CreateTeam(requestId="team-of-ann", name=" Green\tStreet "), "ann", cloud.deps)
    assert made == create_team(CreateTeam(requestId="team-of-ann", name="Green Street"), "ann", cloud.deps)
    assert (made["name"], made["balance"], made["role"], len(made["members"])) == ("Green Street", 0, "owner", 1)
    assert stored(cloud, "users/ann")["teams"] == [made["teamId"]]
    with pytest.raises(KeyReused):
        create_team(CreateTeam(requestId="team-of-ann", name="Blue"), "ann", cloud.deps)


@pytest.mark.parametrize("name", ["\u200b", "win at www.example.org", "call +49 30 1234567"])
def test_a_name_is_a_name(cloud: InProcessCloud, name: str) -> None:
    """Strangers are invited into it: it sends nobody anywhere."""
    with pytest.raises(InvalidRequest):
        create_team(CreateTeam(requestId="team-of-ann", name=name), "ann", cloud.deps)
    assert listed(cloud, "users") == {}


def test_a_user_founds_ten_teams_at_most(cloud: InProcessCloud) -> None:
    """The next one is refused, and leaves nothing."""
    for number in range(TEAMS_MAX):
        create_team(CreateTeam(requestId=f"team-number-{number}", name="Green"), "ann", cloud.deps)
    with pytest.raises(TeamFull):
        create_team(CreateTeam(requestId="one-too-many", name="Green"), "ann", cloud.deps)


def test_an_invite_lets_one_user_in(cloud: InProcessCloud) -> None:
    """The code comes again for the same key, whoever has joined may join again, and nobody else can."""
    team_id = team_of(cloud)
    request = InviteMember(requestId="invite-0123456789abcdef", teamId=team_id, monthlyLimit=3)
    first, again = (invite_member(request, "olga", cloud.deps) for _ in range(2))
    assert first == again
    assert first["code"] not in str(listed(cloud, "invites"))
    joined = join_team(JoinTeam(code=first["code"]), "mia", cloud.deps)
    assert joined == join_team(JoinTeam(code=first["code"]), "mia", cloud.deps)
    assert (joined["role"], stored(cloud, "users/mia")["teams"]) == ("member", [team_id])
    with pytest.raises(InviteInvalid):
        join_team(JoinTeam(code=first["code"]), "eve", cloud.deps)


def test_an_invite_ends_after_a_week(cloud: InProcessCloud) -> None:
    """Its document may outlive that by a day."""
    team_id = team_of(cloud)
    request = InviteMember(requestId="invite-0123456789abcdef", teamId=team_id, monthlyLimit=3)
    code = invite_member(request, "olga", cloud.deps)["code"]
    cloud.clock.advance(timedelta(days=7))
    for wrong in (code, "A" * 26):
        with pytest.raises(InviteInvalid):
            join_team(JoinTeam(code=wrong), "mia", cloud.deps)


def test_what_members_may_not(cloud: InProcessCloud) -> None:
    """Invite, or change others; nor see a team that they are not in."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    with pytest.raises(NotTeamAdmin):
        join(cloud, team_id, "eve", by="mia")
    with pytest.raises(NotTeamAdmin):
        change(cloud, team_id, "mia", "mia", noLimit=True)
    with pytest.raises(TeamNotFound):
        shown(cloud, team_id, "eve")
    with pytest.raises(LastOwner):
        change(cloud, team_id, "olga", "olga", remove=True)
    with pytest.raises(InvalidRequest):
        change(cloud, team_id, "olga", "mia")


def test_leaving_may_be_repeated(cloud: InProcessCloud) -> None:
    """And is over for the profile, too."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    for _ in range(2):
        assert change(cloud, team_id, "mia", "mia", remove=True) == {"team": None, "cancelled": 0}
    assert stored(cloud, "users/mia")["teams"] == []
    assert list(stored(cloud, f"teams/{team_id}/wallet/main")["members"]) == ["olga"]
    assert listed(cloud, "removals") == {}


# Spending


@pytest.mark.parametrize(("mode", "price"), [("instant", 5), ("batch", 1)])
def test_a_team_pays_for_its_members_photos(cloud: InProcessCloud, mode: str, price: int) -> None:
    """From its wallet, and counted for the member; the member's own is not even made."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    job = classify(cloud, "one", mode, "mia", payer=team_id)
    assert (job["payer"], job["balance"], job["tokensCost"]) == (team_id, 100 - price, price)
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia")) == (100 - price, price)
    assert wallet(cloud, "mia") == {}
    again = classify(cloud, "one", mode, "mia", payer=team_id)
    assert (again["jobId"], balanced(cloud, team_id)) == (job["jobId"], 100 - price)
    with pytest.raises(KeyReused, match="payer"):
        classify(cloud, "one", mode, "mia")


def test_nothing_is_taken_from_a_member_instead(cloud: InProcessCloud) -> None:
    """Whether the limit is reached, the team has nothing left, or the member is none (any more)."""
    team_id = team_of(cloud, tokens=1)
    join(cloud, team_id, "mia", limit=4)
    classify(cloud, "own", uid="mia")
    before = statement(cloud, "mia")
    refusals: list[type[EcolaneError]] = []
    for key in ("limit", "empty", "gone"):
        if key == "empty":
            change(cloud, team_id, "olga", "mia", noLimit=True)
        if key == "gone":
            change(cloud, team_id, "olga", "mia", remove=True)
        with pytest.raises(EcolaneError) as refused:
            classify(cloud, key, "instant", "mia", payer=team_id)
        refusals.append(refused.type)
    assert refusals == [MemberLimit, InsufficientTokens, TeamNotFound]
    assert statement(cloud, "mia") == before
    assert balanced(cloud, team_id) == 1
    with pytest.raises(TeamNotFound):
        classify(cloud, "none", "batch", "mia", payer="0" * 32)


def test_of_many_photos_as_many_are_taken_as_the_limit_allows(cloud: InProcessCloud) -> None:
    """The others are refused for it, each by itself."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", limit=2)
    images = [{"requestId": f"request-{n}", "imagePath": cloud.upload("mia", f"{n}.jpg", PHOTO)} for n in range(4)]
    many = ClassifyImages.model_validate({"images": images, "payer": team_id})
    for _ in range(2):
        answer = classify_images(many, "mia", cloud.deps)
        reasons = [each.get("error", {}).get("reason") for each in answer["results"]]
        assert reasons == [None, None, "MEMBER_LIMIT", "MEMBER_LIMIT"]
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia")) == (98, 2)
    fresh = [{"requestId": f"another-{n}", "imagePath": image["imagePath"]} for n, image in enumerate(images)]
    strangers = classify_images(ClassifyImages.model_validate({"images": fresh, "payer": "0" * 32}), "mia", cloud.deps)
    assert {each["error"]["reason"] for each in strangers["results"]} == {"TEAM_NOT_FOUND"}


def test_a_stranger_does_not_hear_what_a_teams_plan_lacks(cloud: InProcessCloud) -> None:
    """But that there is no such team, as for one that there is not."""
    cloud.configure({"plans": {"free": {**UNLIMITED, "features": []}}})
    images = [{"requestId": f"request-{n}", "imagePath": cloud.upload("eve", f"{n}.jpg", PHOTO)} for n in range(2)]
    for team_id in (team_of(cloud), "0" * 32):
        many = ClassifyImages.model_validate({"images": images, "payer": team_id})
        refused = {each["error"]["reason"] for each in classify_images(many, "eve", cloud.deps)["results"]}
        assert refused == {"TEAM_NOT_FOUND"}


def test_whoever_leaves_and_comes_back_has_had_the_days_photos(cloud: InProcessCloud) -> None:
    """For the day alone: else one member could send any number, and have any number of those that come to nothing
    refunded."""
    cloud.configure({"plans": {"free": {**UNLIMITED, "batchPerDay": 2}}})
    team_id = team_of(cloud)
    for number in range(2):
        join(cloud, team_id, "mia")
        classify(cloud, f"photo-{number}", "batch", "mia", payer=team_id)
        change(cloud, team_id, "mia", "mia", remove=True)
        cloud.clock.advance(timedelta(seconds=1))
    join(cloud, team_id, "mia")
    with pytest.raises(DailyLimit):
        classify(cloud, "one-more", "batch", "mia", payer=team_id)
    cloud.clock.advance(timedelta(days=1))
    classify(cloud, "tomorrow", "batch", "mia", payer=team_id)
    assert used(cloud, team_id, "mia") == 1


def test_a_damaged_profile_keeps_nobody_in_a_team(cloud: InProcessCloud) -> None:
    """Whoever is taken out is out, and goes on with what the team has counted."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    cloud.client.document("users/mia").update({"counted": "many"})
    change(cloud, team_id, "olga", "mia", remove=True)
    assert [each["uid"] for each in shown(cloud, team_id)["members"]] == ["olga"]
    assert list(stored(cloud, "users/mia")["counted"]) == [team_id]


def test_a_new_month_brings_the_limit_again(cloud: InProcessCloud) -> None:
    """It is a monthly one."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", limit=5)
    classify(cloud, "one", uid="mia", payer=team_id)
    with pytest.raises(MemberLimit):
        classify(cloud, "two", uid="mia", payer=team_id)
    cloud.clock.advance(timedelta(days=31))
    classify(cloud, "two", uid="mia", payer=team_id)
    assert balanced(cloud, team_id) == 90


def test_the_team_pays_for_an_upgrade_and_gets_refunds(cloud: InProcessCloud) -> None:
    """Whoever has paid for a photo is whom it is about."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    queued = classify(cloud, "one", "batch", "mia", payer=team_id)["jobId"]
    upgraded = upgrade_job(UpgradeJob(jobId=queued), "mia", cloud.deps)
    assert (upgraded["status"], balanced(cloud, team_id), used(cloud, team_id, "mia")) == ("done", 95, 5)
    queued = classify(cloud, "two", "batch", "mia", payer=team_id)["jobId"]
    cancel_job(CancelJob(jobId=queued), "mia", cloud.deps)
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia")) == (95, 5)
    cloud.openai.faults.add("server_error", endpoint="*", count=None)
    with pytest.raises(EcolaneError):
        classify(cloud, "three", "instant", "mia", payer=team_id)
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia")) == (95, 5)
    assert wallet(cloud, "mia") == {}


def test_an_upgrade_passes_no_limit(cloud: InProcessCloud) -> None:
    """Nor does somebody upgrade who is in the team no more."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", limit=4)
    queued = classify(cloud, "one", "batch", "mia", payer=team_id)["jobId"]
    with pytest.raises(MemberLimit):
        upgrade_job(UpgradeJob(jobId=queued), "mia", cloud.deps)
    assert (balanced(cloud, team_id), wallet(cloud, "mia")) == (99, {})


def test_a_batch_of_the_teams_ends_as_any_other(cloud: InProcessCloud) -> None:
    """Results come; a photo that fails is refunded to the team."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    good = classify(cloud, "one", "batch", "mia", payer=team_id)["jobId"]
    bad = classify(cloud, "two", "batch", "mia", payer=team_id)["jobId"]
    del cloud.files.objects["users/mia/uploads/two.jpg"]
    ticks(cloud, timedelta(hours=6))
    jobs = listed(cloud, "aiJobs")
    assert (jobs[good]["status"], jobs[bad]["status"]) == ("done", "failed")
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia")) == (99, 1)


def test_the_team_sees_its_jobs_and_no_others(cloud: InProcessCloud) -> None:
    """With whose each is; strangers see nothing."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    ours = classify(cloud, "one", "batch", "mia", payer=team_id)["jobId"]
    classify(cloud, "own", "batch", "mia")
    (job,) = list_jobs(ListJobs(team=team_id), "olga", cloud.deps)["jobs"]
    assert (job["jobId"], job["uid"], job["payer"]) == (ours, "mia", team_id)
    fields = ListJobs.model_validate({"team": team_id, "fields": ["status"]})
    assert list_jobs(fields, "olga", cloud.deps)["jobs"] == [{"jobId": ours, "uid": "mia", "status": "queued"}]
    with pytest.raises(TeamNotFound):
        list_jobs(ListJobs(team=team_id), "eve", cloud.deps)


def test_a_quote_for_the_team(cloud: InProcessCloud) -> None:
    """Its balance, and what is left for the member."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", limit=6)
    classify(cloud, "one", uid="mia", payer=team_id)
    offer = quote(Quote(payer=team_id), "mia", cloud.deps)
    assert (offer["balance"], offer["member"]["left"]) == (95, 1)
    assert quote(Quote(), "mia", cloud.deps)["member"] is None
    with pytest.raises(TeamNotFound):
        quote(Quote(payer=team_id), "eve", cloud.deps)


def test_a_blocked_user_joins_as_one(cloud: InProcessCloud) -> None:
    """An operator's block holds in a team."""
    classify(cloud, "own", "batch", "mia")
    cloud.client.document("users/mia/wallet/main").update({"blockedAt": cloud.clock()})
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    with pytest.raises(AccountBlocked):
        classify(cloud, "one", "batch", "mia", payer=team_id)


# Leaving


def test_a_removal_cancels_what_is_queued_and_refunds_the_team(cloud: InProcessCloud) -> None:
    """The team's photos alone, of this member alone."""
    team_id = team_of(cloud)
    for uid in ("mia", "max"):
        join(cloud, team_id, uid)
    for uid, key, payer in (("mia", "a", team_id), ("mia", "b", team_id), ("max", "c", team_id), ("mia", "own", None)):
        classify(cloud, key, "batch", uid, payer=payer)
    assert balanced(cloud, team_id) == 97
    assert change(cloud, team_id, "olga", "mia", remove=True)["cancelled"] == 2
    assert balanced(cloud, team_id) == 99
    left = {(each["uid"], each.get("payer")) for each in listed(cloud, "aiJobs").values() if each["status"] == "queued"}
    assert left == {("max", team_id), ("mia", None)}
    assert listed(cloud, "removals") == {}


def test_a_removal_cancels_what_was_queued_while_it_was_on_its_way(cloud: InProcessCloud) -> None:
    """The call was there before the photo; the team was read after it."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")

    def queue_one(call: str, when: str) -> None:
        if (call, when) == ("firestore.BatchGetDocuments", "before") and not listed(cloud, "aiJobs"):
            cloud.interrupt = lambda _call, _when: None
            cloud.clock.advance(timedelta(seconds=5))
            classify(cloud, "a", "batch", "mia", payer=team_id)

    cloud.interrupt = queue_one
    assert change(cloud, team_id, "olga", "mia", remove=True)["cancelled"] == 1
    assert (balanced(cloud, team_id), listed(cloud, "removals")) == (100, {})


def test_the_end_of_a_removal_is_not_that_of_the_next_one(cloud: InProcessCloud) -> None:
    """While a cron finishes the first, the member comes back, queues a photo, and is removed by a call that dies."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    cut_off(cloud, team_id)

    def come_back(call: str, when: str) -> None:
        if (call, when) == ("firestore.Commit", "before"):  # that forgets the first removal
            cloud.interrupt = lambda _call, _when: None
            cloud.clock.advance(timedelta(seconds=1))
            join(cloud, team_id, "mia")
            classify(cloud, "a", "batch", "mia", payer=team_id)
            cut_off(cloud, team_id)

    cloud.interrupt = come_back
    recover_jobs(cloud.deps)
    assert balanced(cloud, team_id) == 99
    recover_jobs(cloud.deps)
    assert (balanced(cloud, team_id), listed(cloud, "removals")) == (100, {})


def cut_off(cloud: InProcessCloud, team_id: str, uid: str = "mia") -> None:
    """Remove a member by a call that dies after its commit."""
    cloud.interrupt = dies_after_the_commit()
    with pytest.raises(KeyboardInterrupt):
        change(cloud, team_id, "olga", uid, remove=True)
    cloud.interrupt = lambda _call, _when: None


def dies_after_the_commit() -> Interrupt:
    """Return what kills a process after the first commit of its call."""
    calls = 0

    def die(call: str, when: str) -> None:
        nonlocal calls
        calls += (call, when) == ("firestore.Commit", "after")
        if calls == 1:
            raise KeyboardInterrupt

    return die


def test_a_removal_that_was_cut_off_is_finished_by_the_cron(cloud: InProcessCloud) -> None:
    """What somebody who came back has queued since stays."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    before = classify(cloud, "a", "batch", "mia", payer=team_id)["jobId"]
    cut_off(cloud, team_id)
    cloud.clock.advance(timedelta(minutes=2))
    join(cloud, team_id, "mia")
    after = classify(cloud, "b", "batch", "mia", payer=team_id)["jobId"]
    assert recover_jobs(cloud.deps)["cancelled"] == 1
    assert {job: each["status"] for job, each in listed(cloud, "aiJobs").items()} == {
        before: "cancelled",
        after: "queued",
    }
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia"), listed(cloud, "removals")) == (99, 1, {})


@pytest.mark.parametrize(("error", "minutes"), [(ServiceUnavailable, 10), (RuntimeError, 60)])
def test_a_removal_that_fails_is_taken_again(cloud: InProcessCloud, error: type[Exception], minutes: int) -> None:
    """By the next run after an outage, by one an hour later after an error that will not pass."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    classify(cloud, "a", "batch", "mia", payer=team_id)
    cut_off(cloud, team_id)

    def fail(call: str, _when: str) -> None:
        if call == "firestore.BatchGetDocuments":
            raise error("no wallet can be read")

    with cloud.interrupting(fail):
        assert recover_jobs(cloud.deps)["unfinished"] == 1
    cloud.clock.advance(timedelta(minutes=minutes - 10))
    assert recover_jobs(cloud.deps)["cancelled"] == 0
    cloud.clock.advance(timedelta(minutes=10))
    assert recover_jobs(cloud.deps)["cancelled"] == 1
    assert (balanced(cloud, team_id), listed(cloud, "removals")) == (100, {})


def test_a_removal_that_its_own_call_ends_meanwhile_keeps_no_other_waiting(cloud: InProcessCloud) -> None:
    """There is nothing to put off any more, though the run has failed at it."""
    team_id = team_of(cloud)
    for uid in ("mia", "max"):
        join(cloud, team_id, uid)
        classify(cloud, "a", "batch", uid, payer=team_id)
        cut_off(cloud, team_id, uid)
        cloud.clock.advance(timedelta(seconds=1))

    def end(call: str, _when: str) -> None:
        if call == "firestore.BatchGetDocuments":
            cloud.interrupt = lambda _call, _when: None
            (first,) = (name for name, each in listed(cloud, "removals").items() if each["uid"] == "mia")
            cloud.client.document(f"removals/{first}").delete()
            raise RuntimeError("no wallet can be read")

    with cloud.interrupting(end):
        assert recover_jobs(cloud.deps)["cancelled"] == 1
    assert (balanced(cloud, team_id), listed(cloud, "removals")) == (99, {})


def test_a_job_that_nobody_can_refund_keeps_no_removal_waiting(cloud: InProcessCloud) -> None:
    """The run fails, as it does when every job crashes; the team has its tokens all the same."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    classify(cloud, "a", "batch", "mia", payer=team_id)
    cut_off(cloud, team_id)
    stuck = classify(cloud, "b", "batch", "eve")["jobId"]
    lease = {"mode": "instant", "status": "processing", "leaseUntil": cloud.clock(), "queuedAt": None}
    cloud.client.document(f"aiJobs/{stuck}").update(lease)
    cloud.client.document("users/eve/wallet/main").update({"balance": "many"})
    cloud.clock.advance(timedelta(minutes=2))
    with pytest.raises(RuntimeError, match="every job"):
        recover_jobs(cloud.deps)
    assert (balanced(cloud, team_id), listed(cloud, "removals")) == (100, {})


def test_whoever_leaves_the_app_leaves_their_teams(cloud: InProcessCloud) -> None:
    """The longest member inherits; what was queued is cancelled with everything else of the user, for the team."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    delete_account(DeleteAccount(confirm="DELETE"), "olga", cloud.deps)
    assert [(each["uid"], each["role"]) for each in shown(cloud, team_id, "mia")["members"]] == [("mia", "owner")]
    with pytest.raises(TeamNotFound):
        shown(cloud, team_id, "olga")
    with pytest.raises(AccountDeleted):
        create_team(CreateTeam(requestId="team-again", name="Green"), "olga", cloud.deps)
    delete_account(DeleteAccount(confirm="DELETE"), "mia", cloud.deps)
    assert balanced(cloud, team_id) == 0
    with pytest.raises(TeamNotFound):
        shown(cloud, team_id, "mia")


def test_a_closed_team_is_not_founded_again(cloud: InProcessCloud) -> None:
    """By the founder's old key, over the ledger that it has: its entries would be numbered, and closed, a second
    time."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", role="owner")
    change(cloud, team_id, "olga", "olga", remove=True)
    delete_account(DeleteAccount(confirm="DELETE"), "mia", cloud.deps)
    with pytest.raises(KeyReused):
        create_team(CreateTeam(requestId="team-of-olga", name="Green"), "olga", cloud.deps)
    assert stored(cloud, f"teams/{team_id}/wallet/main")["entryCount"] == 2


def test_a_team_that_cannot_be_read_is_left_once_it_can(cloud: InProcessCloud) -> None:
    """It keeps nobody from leaving the app, operators hear of it, and neither photos nor other teams wait for it."""
    damaged, other = team_of(cloud), team_of(cloud, "max")
    for team_id, by in ((damaged, "olga"), (other, "max")):
        join(cloud, team_id, "mia", by=by)
        classify(cloud, f"of-{by}", "batch", "mia", payer=team_id)
    path = f"teams/{damaged}/wallet/main"
    cloud.client.document(path).update({"balance": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "mia", cloud.deps)
    assert [each["uid"] for each in shown(cloud, other, "max")["members"]] == ["max"]
    assert any(path in each["text"] for each in alerts(cloud, "document_damaged").values())
    assert recover_jobs(cloud.deps)["unfinished"] == 1
    assert "mia" in stored(cloud, path)["members"]
    cloud.client.document(path).update({"balance": 99})
    cloud.clock.advance(timedelta(hours=2))
    assert recover_jobs(cloud.deps)["cancelled"] == 1
    assert (list(stored(cloud, path)["members"]), balanced(cloud, damaged)) == (["olga"], 100)
    assert listed(cloud, "removals") == {}
    assert recover_jobs(cloud.deps)["cancelled"] == 0


def test_a_team_that_cannot_be_read_and_has_nobody_else_is_closed_once_it_can(cloud: InProcessCloud) -> None:
    """Also if that run dies after its commit."""
    team_id = team_of(cloud)
    path = f"teams/{team_id}/wallet/main"
    cloud.client.document(path).update({"balance": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "olga", cloud.deps)
    cloud.client.document(path).update({"balance": 100})
    cloud.interrupt = dies_after_the_commit()
    with pytest.raises(KeyboardInterrupt):
        recover_jobs(cloud.deps)
    cloud.interrupt = lambda _call, _when: None
    cloud.clock.advance(timedelta(hours=2))
    recover_jobs(cloud.deps)
    assert (stored(cloud, path)["members"], balanced(cloud, team_id), listed(cloud, "removals")) == ({}, 0, {})
