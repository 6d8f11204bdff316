"""How each action of a history calls the product: as the app, Cloud Scheduler, an operator or an accident does."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any
from zlib import crc32

from PIL import Image, ImageDraw

from functions.core.jobs.disputes import DisputeReason
from functions.core.model.classification import Category
from functions.core.shared.records import Request
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.bulk.cancel_bulk import CancelBulk, cancel_bulk
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.insights.trials import begin_trial
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.leaderboard.rank_users import rank_users
from functions.use_cases.leaderboard.set_leaderboard import SetLeaderboard, set_leaderboard
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.operations.guard_rollouts import guard_rollouts
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.teams.change_member import ChangeMember, change_member
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.get_team import GetTeam, get_team
from functions.use_cases.teams.give_tokens import GiveTokens, give_tokens
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from functions.use_cases.wallet.buy_perk import BuyPerk, buy_perk
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.convert_points import ConvertPoints, convert_points
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from functions.wiring import Deps
from scripts.simulation.bulk import bulk_id_of
from scripts.simulation.cache import believed, comment_of
from scripts.simulation.documents import Fields
from scripts.simulation.history import Action
from scripts.simulation.rollouts import decide_flag, spoiled
from scripts.simulation.schema import LATER
from scripts.simulation.teams import grant, sell
from scripts.simulation.world import World, photo_text

Call = Callable[[Deps], Any]

CRON_CALLS: dict[str, Callable[..., Any]] = {
    "submit": submit_batches,
    "poll": poll_batches,
    "recover": recover_jobs,
    "bulk": run_bulk,
    "guard": guard_budget,
    "guard_rollouts": guard_rollouts,
    "rank": rank_users,
    "refresh": lambda deps, worker: refresh_credits(deps, job_name=worker),
}


def _drawing(colour: tuple[int, int, int]) -> bytes:
    image = Image.new("RGB", (48, 48), (220, 215, 205))
    ImageDraw.Draw(image).ellipse((12, 12, 36, 36), fill=colour)
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


_DRAWINGS = [*map(_drawing, ((40, 140, 60), (240, 200, 40), (150, 150, 155), (200, 40, 40), (30, 60, 200)))]
"""Each gets another answer. Small, because the stand-in looks at every pixel."""


def perform(action: Action, world: World, key: str | None = None) -> None:
    """Have an action happen now; `key` names its invocation, by default the action's number."""
    if action.kind in FATE:
        FATE[action.kind](world, **action.details)
        return
    if action.kind in CRON_CALLS:
        call: Call = partial(CRON_CALLS[action.kind], **action.details)
    else:
        call = APP[action.kind](world, **action.details)
    world.begin(key or str(action.number), action.kind, call)


def job_id_of(user: str, key: str) -> str:
    """Return the id that a job has to have, as docs and clients know it: a hash of who asks and their key."""
    return hashlib.sha256(f"{user}\n{key}".encode()).hexdigest()[:32]


def photo_path(user: str, key: str) -> str:
    return f"users/{user}/uploads/{key}.jpg"


def _uploaded(
    world: World, user: str, key: str, of: Sequence[str] = (), bits: int = 0, bulk_id: str | None = None
) -> str:
    """Return the path of the photo for a request, or of a bulk job, different from all others by a comment in it; the
    picture can be that `of` another request, so many bits away. It is uploaded before the first call: an app that
    retries does not upload again."""
    path = photo_path(user, key)
    if path in world.uploads:
        return path
    if user in world.history.hostile:
        job_id = job_id_of(user, f"{bulk_id}/{path}" if bulk_id else key)
        for standin in (world.openai, world.anthropic):
            standin.faults.add(kind="cut_answer", endpoint="*", custom_id=job_id, count=None)
    picture = photo_path(*of) if of else path
    comment = comment_of(path, picture, bits)
    drawing = _DRAWINGS[crc32(picture.encode()) % len(_DRAWINGS)]
    data = drawing[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + drawing[2:]
    world.photos[photo_text(data)] = path
    world.uploads[path] = world.files.objects[path] = data
    return path


def _classify(
    world: World, user: str, key: str, mode: str, of: Sequence[str] = (), bits: int = 0, **options: Any
) -> Call:
    request = {"requestId": key, "imagePath": _uploaded(world, user, key, of, bits), "mode": mode, **options}
    return lambda deps: classify_image(ClassifyImage.model_validate(request), user, deps)


def _classify_many(world: World, user: str, keys: list[str], twice: Sequence[str] = (), **options: Any) -> Call:
    files = [*((key, ()) for key in keys), *((key, (user, keys[0])) for key in twice)]
    images = [{"requestId": key, "imagePath": _uploaded(world, user, key, of)} for key, of in files]
    return lambda deps: classify_images(ClassifyImages.model_validate({"images": images, **options}), user, deps)


def _start_bulk(world: World, user: str, key: str, photos: int, *, any_time: bool, **options: Any) -> Call:
    for number in range(photos):
        _uploaded(world, user, f"{key}-{number}", bulk_id=bulk_id_of(user, key))
    request = {"requestId": key, "prefix": f"{key}-", "anyTime": any_time, **options}
    return lambda deps: start_bulk(StartBulk.model_validate(request), user, deps)


def _configure(_world: World, changes: dict[str, Any]) -> Call:
    return lambda deps: admin_set_config(AdminSetConfig(changes=changes), "operator", deps)


def _asking(use_case: Callable[[Any, str, Deps], Any], request: Callable[..., Request]) -> Callable[..., Call]:
    """Call a use case for a user with what `request` makes of the action's other details and the user."""

    def asked(_world: World, user: str, **details: Any) -> Call:
        return lambda deps: use_case(request(user, **details), user, deps)

    return asked


APP: dict[str, Callable[..., Call]] = {
    "classify": _classify,
    "classify_many": _classify_many,
    "start_bulk": _start_bulk,
    "cancel_bulk": _asking(cancel_bulk, lambda user, key: CancelBulk(bulkId=bulk_id_of(user, key))),
    "upgrade": _asking(upgrade_job, lambda user, key: UpgradeJob(jobId=job_id_of(user, key))),
    "cancel": _asking(cancel_job, lambda user, key: CancelJob(jobId=job_id_of(user, key))),
    "dispute": _asking(
        report_answer, lambda user, key: ReportAnswer(jobId=job_id_of(user, key), reason=DisputeReason.OTHER)
    ),
    "leave": _asking(delete_account, lambda _: DeleteAccount(confirm="DELETE")),
    "bonus": _asking(claim_daily_bonus, lambda _, device: ClaimDailyBonus(deviceId=device)),
    "convert": _asking(convert_points, lambda _, key, points: ConvertPoints(requestId=key, points=points)),
    "manual": _asking(
        record_manual_classification,
        lambda _, key, device: RecordManualClassification(
            requestId=key, deviceId=device, itemName="Can", category=Category.DRY
        ),
    ),
    "look": _asking(get_wallet, lambda _: GetWallet()),
    "register": _asking(
        register_device,
        lambda _, device: RegisterDevice(deviceId=device, pushToken=f"token-{device}", platform="android"),
    ),
    "list": _asking(set_leaderboard, lambda _, name: SetLeaderboard(listed=name is not None, displayName=name)),
    "create_team": _asking(create_team, lambda _, key, name: CreateTeam(requestId=key, name=name)),
    "invite": _asking(
        invite_member,
        lambda _, team, key, role, limit: InviteMember(requestId=key, teamId=team, role=role, monthlyLimit=limit),
    ),
    "join": _asking(join_team, lambda _, code: JoinTeam(code=code)),
    "change_member": _asking(
        change_member, lambda _, team, uid, **what: ChangeMember.model_validate({"teamId": team, "uid": uid, **what})
    ),
    "look_at_team": _asking(get_team, lambda _, team: GetTeam(teamId=team, limit=5)),
    "grant_team": lambda world, team, key, tokens: partial(grant, world.operators, team, key, tokens),
    "sell_team": lambda world, team, key, tokens: partial(sell, world.operators, team, key, tokens),
    "give": _asking(
        give_tokens, lambda _, team, key, **what: GiveTokens.model_validate({"teamId": team, "requestId": key, **what})
    ),
    "perk": _asking(buy_perk, lambda _, key, perk: BuyPerk(requestId=key, perk=perk, maxTokens=3)),
    "configure": _configure,
    "try": lambda _world, kind, changes: lambda deps: begin_trial(kind, changes, 1, "operator", deps),
    "decide_flag": lambda _world, flag, action: partial(decide_flag, flag, action),
}


def _outage(world: World, service: str, seconds: float) -> None:
    world.outages[service] = world.interleaving.seconds + seconds


def _refusing(world: World, refusal: dict[str, Any], seconds: float) -> None:
    fault = world.openai.faults.add(kind="refused", count=None, **refusal)
    world.interleaving.at(world.interleaving.seconds + seconds, lambda: world.openai.faults.remove(fault))


def _newer(world: World, what: str) -> None:
    """A newer release has written: its fields and constants are unknown to this one."""

    def changes(fields: Fields) -> Fields:
        later: Fields = {LATER: {"version": 2}}
        if what == "wallet" and fields["recent"]:
            later["recent"] = [{**fields["recent"][0], "reason": "raffle"}, *fields["recent"][1:]]
        return later

    for path in world.chosen(what, "newer"):
        world.write(path, changes)


def _damage(world: World, what: str, seconds: float) -> None:
    """Documents are damaged by hand. After a while an operator repairs them."""
    for path in world.chosen(what, "damage"):
        world.damage(path, {"wallet": "totalEarned", "shard": "reserved", "batch": "jobCount"}[what])
        world.interleaving.at(world.interleaving.seconds + seconds, lambda path=path: world.repair(path))  # type: ignore[misc]


FATE: dict[str, Callable[..., object]] = {
    "remove_photo": lambda world, user, key: world.files.objects.pop(photo_path(user, key), None),
    "openai": lambda world, trouble: world.openai.faults.add(**trouble),
    "anthropic": lambda world, trouble: world.anthropic.faults.add(**trouble),
    "outage": _outage,
    "restart": World.restart,
    "unreadable": lambda world, user, key: world.files.unreadable.add(photo_path(user, key)),
    "refusing": _refusing,
    "newer": _newer,
    "damage": _damage,
    "believe": lambda world: world.write("stats/cache", lambda _: believed(world.documents())),
    "spoil_flag": lambda world, flag, path: world.write(path, lambda _: spoiled(flag, path)),
}
