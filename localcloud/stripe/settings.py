"""What can be set while the stand-in runs, and what Stripe documents of its own times and limits."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

API_VERSION = "2026-10-28.endive"
REQUEST_BYTES_MAX = 1024 * 1024
LIST_MAX, LIST_DEFAULT = 100, 10
KEY_SECONDS = 24 * 3600  # https://docs.stripe.com/api/idempotent_requests: keys may be removed after 24 hours
SESSION_SECONDS = 24 * 3600
DRAFT_SECONDS = 3600  # a renewal's invoice is a draft for about an hour before it is finalized and paid
COLLECT_AFTER_DAYS = (1, 3, 5)  # one schedule of https://docs.stripe.com/billing/revenue-recovery/smart-retries
RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""After a failed delivery: "up to three days with an exponential back off" (https://docs.stripe.com/webhooks)."""


class Settings(BaseModel):
    """Settings of a running stand-in; the admin endpoint reads and changes them by these names."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    webhook_url: str | None = None
    webhook_secret: str | None = None
    webhook_payload: Literal["snapshot", "thin"] = "snapshot"
    """Whether an event carries its object, or names it only."""
    settle_minutes: float = Field(default=30.0, gt=0, le=100_000)
    """How long a bank debit, a pending refund and a failing one take to be known."""
