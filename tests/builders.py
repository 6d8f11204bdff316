"""What many tests start from: one good example of each thing, and the changes that a test is about."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from functions.core.batches.batches import Batch, BatchState
from functions.core.batches.manifest import BatchMember
from functions.core.bulk.bulks import Bulk, BulkState
from functions.core.jobs.jobs import Job, Status
from functions.core.model.classification import Answer, Classification, classify_as
from functions.core.model.parsing import Completion, parse_answer
from functions.core.model.usage import ModelPrice, Usage
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import empty_wallet

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

PRICE = ModelPrice(input=Decimal("0.4"), cached=Decimal("0.04"), cache_write=Decimal("0.5"), output=Decimal("1.6"))
BATCH_PRICE = ModelPrice(
    input=Decimal("0.2"), cached=Decimal("0.02"), cache_write=Decimal("0.25"), output=Decimal("0.8")
)
"""Dollars a million tokens, or micro-dollars a token."""

USAGE = Usage(input_tokens=1_000, output_tokens=200)

USAGE_REPORTED = {
    "prompt_tokens": USAGE.input_tokens,
    "completion_tokens": USAGE.output_tokens,
    "prompt_tokens_details": {"cached_tokens": 0},
}
"""`USAGE` in the provider's words."""


def answer_json(**changes: Any) -> dict[str, Any]:
    """Return what a well-behaved model writes about a bottle, with other values for these fields."""
    return {
        "itemName": "Water bottle",
        "category": "Dry Waste",
        "subcategory": "Plastic",
        "explanation": "A clear PET bottle.",
        "confidence": 0.93,
        "needsReview": False,
        "materials": ["PET", "HDPE"],
        "recyclingCode": 1,
        "isRecyclable": True,
        "isCompostable": False,
        "requiresSpecialDisposal": False,
        "hazardLevel": 1,
        "disposal": disposal_json(),
        "alternatives": [
            {"category": "Non-Waste", "subcategory": "Reusable", "confidence": 0.05, "reason": "It can be refilled."}
        ],
        **changes,
    }


def disposal_json(**changes: Any) -> dict[str, Any]:
    """Return the disposal part of `answer_json`, with other values for these fields."""
    return {
        "primaryMethod": "recycle",
        "steps": ["Empty it.", "Put it into the recycling bin."],
        "timeframe": "Next collection",
        "location": None,
        "warnings": [],
        "tips": ["Keep the cap on."],
        "urgent": False,
        **changes,
    }


def answer_text(**changes: Any) -> str:
    """Return the model's answer as the text that it sends."""
    return json.dumps(answer_json(**changes))


def answer(**changes: Any) -> Answer:
    """Return a checked answer."""
    return parse_answer(Completion(answer_text(**changes), None, USAGE))


def classification(**changes: Any) -> Classification:
    """Return a result as the app gets it."""
    return classify_as(
        answer(**changes), region="IN", language="hi-IN", model="gpt-test", prompt_version="v1", side_max=512, now=NOW
    )


def completion_body(
    content: object = None, *, finish_reason: str = "stop", usage: object = None, **message: Any
) -> dict[str, Any]:
    """Return the body of a chat completion as the provider sends it."""
    text = answer_text() if content is None else content
    return {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": {"content": text, **message}}],
        "usage": USAGE_REPORTED if usage is None else usage,
    }


def output_line(custom_id: str, body: Mapping[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
    """Return a line of a batch's output file."""
    response = {"status_code": status, "body": completion_body() if body is None else body}
    return {"id": "line-1", "custom_id": custom_id, "response": response, "error": None}


def job(**changes: Any) -> Job:
    """Return a queued batch job."""
    fields: dict[str, Any] = {
        "job_id": "0" * 32,
        "uid": "ana",
        "image_path": "users/ana/uploads/bottle.jpg",
        "requested_mode": Lane.BATCH,
        "mode": Lane.BATCH,
        "region": "IN",
        "language": "hi-IN",
        "status": Status.QUEUED,
        "tokens_cost": 1,
        "created_at": NOW,
        "queued_at": NOW,
        "estimated_completion": NOW + timedelta(hours=4),
        "opened_by": "invocation-1",
        "expire_at": NOW + timedelta(days=90),
    }
    return Job(**{**fields, **changes})


def batch(**changes: Any) -> Batch:
    """Return a submitted batch that is due now."""
    fields: dict[str, Any] = {
        "batch_id": "batch-1",
        "state": BatchState.SUBMITTED,
        "created_at": NOW,
        "due_at": NOW,
        "model": "gpt-test",
        "provider_batch_id": "batch_abc",
    }
    return Batch(**{**fields, **changes})


def bulk(**changes: Any) -> Bulk:
    """Return a bulk job of a hundred photos, of which none is taken on."""
    fields: dict[str, Any] = {
        "bulk_id": "b" * 32,
        "uid": "ana",
        "state": BulkState.TAKING,
        "prefix": "trip",
        "listed": "f" * 64,
        "count": 100,
        "tokens_cost": 100,
        "points": 10,
        "region": "IN",
        "language": "hi-IN",
        "created_at": NOW,
        "deadline": NOW + timedelta(days=7),
        "due_at": NOW,
        "expire_at": NOW + timedelta(days=97),
    }
    return Bulk(**{**fields, **changes})


def member(**changes: Any) -> BatchMember:
    """Return a job as its batch remembers it."""
    fields: dict[str, Any] = {
        "job_id": "0" * 32,
        "uid": "ana",
        "image_path": "users/ana/uploads/bottle.jpg",
        "region": "IN",
        "language": "hi-IN",
        "tokens_cost": 1,
        "attempts": 1,
        "cost_micros": 0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return BatchMember(**{**fields, **changes})


def account() -> Account:
    """Return an account that nothing has been posted to."""
    return Account(empty_wallet(NOW))


def flat_price(usd: str, output: str | None = None, longer: tuple[tuple[int, ModelPrice], ...] = ()) -> ModelPrice:
    """Return a price at which input costs the same however the cache is used, and output as much if it is not given."""
    amount = Decimal(usd)
    return ModelPrice(amount, amount, amount, Decimal(output or usd), longer)


def offered(error: EcolaneError) -> list[dict[str, Any]]:
    """Return the plans that a refusal names."""
    found: Any = error.details.get("plans", [])
    return list(found)
