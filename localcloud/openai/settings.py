"""What can be set while the stand-in runs, and the limits that OpenAI documents."""

from pydantic import BaseModel, ConfigDict, Field

BATCH_LINES_MAX = 50_000
BATCH_BYTES_MAX = 200 * 1024 * 1024
COMPLETION_WINDOW = "24h"
COMPLETION_WINDOW_SECONDS = 24 * 3600
UPLOAD_BYTES_MAX = 512 * 1024 * 1024
EXPIRY_SECONDS = range(3600, 2_592_000 + 1)  # of `expires_after` and `output_expires_after`: one hour to 30 days
BATCH_FILE_LIFE_SECONDS = 30 * 24 * 3600


class Settings(BaseModel):
    """Settings of a running stand-in; the admin endpoint reads and changes them by these names."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    batch_minutes: float = Field(default=20.0, gt=0, le=100_000)
    """How long a batch takes at most; each takes between half of it and all of it, by the seed."""
    latency_ms: float = Field(default=0.0, ge=0, le=60_000)
    """Added to every chat completion served over a socket, as the time a model takes."""
    enqueued_token_limit: int | None = Field(default=None, ge=0)
    """Prompt tokens that may wait in batches, per model; None for no limit."""
    cached_tokens: int = Field(default=0, ge=0)
    """How many prompt tokens `usage` reports as cached, at most."""
    blank_error_file_share: float = Field(default=0.5, ge=0, le=1)
    """Share of clean batches whose `error_file_id` is "" instead of null, as the service is seen to do."""
    batch_lines_max: int = Field(default=BATCH_LINES_MAX, ge=1)
    batch_bytes_max: int = Field(default=BATCH_BYTES_MAX, ge=1)
    webhook_url: str | None = None
    webhook_secret: str | None = None
