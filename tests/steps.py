"""What tests do again and again with the product in one process: hand photos in, let crons run, read what is stored."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from functions.core.teams.invites import code_for
from functions.core.teams.teams import team_id_for
from functions.core.wallet.accounts import Account, open_account
from functions.core.wallet.ledger import Reason, Wallet
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud
from tests.app import photo

PHOTO = photo(64)
FIVE_MINUTES = timedelta(minutes=5)
BATCH_CRONS: tuple[Callable[[Deps], Any], ...] = (submit_batches, poll_batches, recover_jobs)
CRONS = (*BATCH_CRONS, guard_budget)
UNLIMITED = {"instantPerDay": 1_000, "batchPerDay": 10_000, "manualPerDay": 10, "callsPerMinute": 10_000, "priority": 0}
"""A plan without a limit that a test meets."""


def classify(cloud: InProcessCloud, key: str, mode: str = "instant", uid: str = "ann", **more: Any) -> dict[str, Any]:
    """Upload a photo and have it classified. Returns the answer."""
    path = cloud.upload(uid, f"{key}.jpg", PHOTO)
    request = {"requestId": f"request-{key}", "imagePath": path, "mode": mode, **more}
    return classify_image(ClassifyImage.model_validate(request), uid, cloud.deps)


def enqueue(cloud: InProcessCloud, uid: str, count: int = 1, mode: str = "batch") -> list[str]:
    """Have so many photos classified, a millisecond apart. Returns their jobs' ids, the oldest first."""
    ids = []
    for _ in range(count):
        ids.append(str(classify(cloud, uuid.uuid4().hex, mode, uid)["jobId"]))
        cloud.clock.advance(timedelta(milliseconds=1))
    return ids


def register(cloud: InProcessCloud, uid: str, token: str, **more: Any) -> None:
    """Sign a user in on a device of their own, which takes pushes."""
    device = {"deviceId": f"device-of-{uid}", "pushToken": token, "platform": "ios", **more}
    register_device(RegisterDevice.model_validate(device), uid, cloud.deps)


def befriend(cloud: InProcessCloud, uid: str) -> None:
    """Have a friend join the sample team of a user, who has bought fifty tokens."""
    friend, key, team_id = f"friend-of-{uid}", "invite-of-a-friend-01", team_id_for(uid, "sample-team")
    invite_member(InviteMember(requestId=key, teamId=team_id, monthlyLimit=5), uid, cloud.deps)
    join_team(JoinTeam(code=code_for(team_id, uid, key)), friend, cloud.deps)
    buy(cloud, uid, 50)


def buy(cloud: InProcessCloud, uid: str, tokens: int) -> None:
    """Have a user buy tokens."""

    def decide(wallet: Wallet | None) -> Account:
        account = open_account(wallet, 10, cloud.clock())
        ref = f"{account.wallet.entry_count}"
        return account.post(0, Reason.BUY, ref, cloud.clock(), bought=tokens)

    cloud.deps.store.open_wallet(uid, decide)


def ticks(
    cloud: InProcessCloud,
    duration: timedelta,
    crons: Sequence[Callable[[Deps], Any]] = BATCH_CRONS,
    suppressed: Sequence[type[Exception]] = (),
) -> None:
    """Let these crons run every five minutes for a while. Errors of the kind `suppressed` end a run and no more."""
    end = cloud.clock() + duration
    while cloud.clock() < end:
        for cron in crons:
            with suppress(*suppressed):
                cron(cloud.deps)
        cloud.clock.advance(FIVE_MINUTES)


def in_transaction(cloud: InProcessCloud) -> bool:
    """Tell whether a transaction is open: it has begun, and has not ended."""
    return any(len(session.transactions) for session in cloud.firestore.engine.sessions.values())


def today(cloud: InProcessCloud) -> str:
    """Return the day by the cloud's clock."""
    return cloud.clock().date().isoformat()


def stored(cloud: InProcessCloud, path: str) -> dict[str, Any]:
    """Return a document's fields; none if there is no such document."""
    return cloud.client.document(path).get().to_dict() or {}


def listed(cloud: InProcessCloud, collection: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a collection by their ids."""
    return {each.id: each.to_dict() or {} for each in cloud.client.collection(collection).stream()}


def job(cloud: InProcessCloud, of: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a job, named by its id or by an answer that has it."""
    return stored(cloud, f"aiJobs/{of if isinstance(of, str) else of['jobId']}")


def statuses(cloud: InProcessCloud, job_ids: Iterable[str]) -> list[str]:
    """Return the status of each job."""
    return [job(cloud, job_id)["status"] for job_id in job_ids]


def wallet(cloud: InProcessCloud, uid: str = "ann") -> dict[str, Any]:
    """Return a stored wallet."""
    return stored(cloud, f"users/{uid}/wallet/main")


def statement(cloud: InProcessCloud, uid: str = "ann") -> list[tuple[str, int, int]]:
    """Return the ledger like a bank statement: entry id, tokens, balance after."""
    entries = cloud.client.collection("users", uid, "ledger").order_by("seq").stream()
    return [(each.id, each.get("delta"), each.get("balanceAfter")) for each in entries]


def alerts(cloud: InProcessCloud, kind: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the alerts there are, of one kind or of all, by their ids."""
    return {name: alert for name, alert in listed(cloud, "alerts").items() if kind in {alert["kind"], None}}


def letters(cloud: InProcessCloud) -> dict[str, dict[str, Any]]:
    """Return the dead letters by the path that each is about."""
    return {letter["path"]: letter for letter in listed(cloud, "deadLetters").values()}


def held(cloud: InProcessCloud) -> int:
    """Return the micro-dollars that are held for somebody, on all days."""
    return sum(each.get("reserved") for each in cloud.client.collection_group("shards").stream())


def batch_files(cloud: InProcessCloud) -> list[str]:
    """Return the paths of what is stored of batches."""
    return [path for path in cloud.files.objects if path.startswith("batches/")]
