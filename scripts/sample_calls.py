"""A call of each callable: what tests and benchmarks send to whatever main.py declares. `make callable` adds a row."""

from typing import Any

from functions.core.bulk.bulks import bulk_id_for
from functions.core.teams.invites import code_for
from functions.core.teams.teams import team_id_for

NO_JOB = "0" * 32


def sample_photo(uid: str) -> str:
    """Return where the photo of the calls below lies."""
    return f"users/{uid}/uploads/photo.jpg"


class _Calls(dict[str, dict[str, Any]]):
    def __missing__(self, name: str) -> dict[str, Any]:
        raise LookupError(f"scripts/sample_calls.py: add a row for {name}")


def sample_calls(uid: str, job_id: str = NO_JOB) -> dict[str, dict[str, Any]]:
    """Return the data of a call of each callable by its name, with every field that takes a whole number. They are this
    user's, who has uploaded `sample_photo` and has this job."""
    image = {"imagePath": sample_photo(uid)}
    device = {"deviceId": f"device-{uid}"}
    job = {"jobId": job_id}
    team = {"teamId": team_id_for(uid, "sample-team")}
    invite = "sample-invite-0123456789"
    calls: dict[str, dict[str, Any]] = {
        "get_home": {},
        "quote": {"photos": 3},
        "classify_image": {"requestId": "sample-one", **image, "mode": "instant", "maxTokens": 5},
        "classify_images": {"images": [{"requestId": "sample-many", **image}], "maxTokens": 5},
        "start_bulk": {"requestId": "sample-bulk", "prefix": "photo", "maxTokens": 5},
        "get_bulk": {"bulkId": bulk_id_for(uid, "sample-bulk")},
        "cancel_bulk": {"bulkId": bulk_id_for(uid, "sample-bulk")},
        "get_job": {**job},
        "list_jobs": {"limit": 5},
        "upgrade_job": {**job, "maxTokens": 5},
        "cancel_job": {**job},
        "report_answer": {**job, "reason": "wrong_item"},
        "get_wallet": {},
        "list_ledger": {"limit": 5},
        "claim_daily_bonus": {**device},
        "convert_points": {"requestId": "sample-convert", "points": 100},
        "buy_perk": {"requestId": "sample-perk", "perk": "priorityDay", "maxTokens": 5},
        "record_manual_classification": {
            "requestId": "sample-manual",
            **device,
            "itemName": "Bottle",
            "category": "Dry Waste",
        },
        "set_leaderboard": {"listed": True, "displayName": "Ana"},
        "get_leaderboard": {"board": "ever"},
        "save_preset": {"preset": "home", "region": "DE", "lane": "batch", "maxTokens": 5},
        "create_team": {"requestId": "sample-team", "name": "Green Street 7"},
        "invite_member": {"requestId": invite, **team, "monthlyLimit": 5},
        "join_team": {"code": code_for(team["teamId"], uid, invite)},
        "change_member": {**team, "uid": uid, "monthlyLimit": 5},
        "get_team": {**team, "limit": 5},
        "give_tokens": {"requestId": "sample-gift", **team, "uid": f"friend-of-{uid}", "tokens": 5},
        "register_device": {**device, "pushToken": f"token-{uid}", "platform": "web"},
        "unregister_device": {**device},
        "get_billing": {},
        "start_checkout": {"requestId": "sample-checkout", "product": "tokens_100"},
        "set_pay_per_use": {"monthMaxMinor": 1_000},
        "open_billing_portal": {},
        "sync_purchases": {},
        "export_account": {"limit": 5},
        "delete_account": {"confirm": "DELETE"},
        "admin_stats": {},
        "admin_days": {"changes": {"tokens": {"instantPrice": 6}}},
        "admin_mark_alert": {"alert": "spend_unusual-2026-11-21", "verdict": "expected"},
        "admin_try_saving": {"kind": "image_side"},
        "admin_rollout": {"flag": "prompt", "action": "restart", "why": "A sample."},
        "admin_set_config": {"changes": {"tokens": {"pointsPerToken": 10}}},
    }
    return _Calls(calls)
