"""A `requestId` names one job: what its id is, and what has to stay the same when it comes again."""

import hashlib

from functions.core.jobs.jobs import JOB_LIFETIME, Job
from functions.core.shared.errors import KeyReused
from functions.core.shared.idempotency import require_same_payload


def job_id_for(uid: str, request_id: str) -> str:
    """Return the id of the job that this request names: 128 bits of SHA-256, so that one key is one job, per user."""
    return hashlib.sha256(f"{uid}\n{request_id}".encode()).hexdigest()[:32]


def require_same_request(stored: Job, wanted: Job, *, preset_pays: bool = False) -> None:
    """Check that a repeated `requestId` carries its first payload; KeyReused names the first field that differs.
    Conditions (`maxTokens`, `allowBatch`) may differ: once they were met, the job is there. So may what a preset says,
    which its user may have changed since: also who pays, if the call leaves that to it (`preset_pays`)."""
    payload = _payload(wanted)
    if preset_pays:
        del payload["payer"]
    require_same_payload(_payload(stored), payload)


def _payload(job: Job) -> dict[str, object]:
    language = job.requested_language
    return {
        "imagePath": job.image_path,
        "mode": job.requested_mode,
        "payer": job.payer,
        "preset": job.preset,
        "region": job.requested_region,
        "language": language and language.lower(),  # it was stored as it was sent once, `de-de` too
    }


def outlived_key() -> KeyReused:
    """Return the refusal of a key whose job is no longer kept. Its charge is in the ledger, so it cannot be charged
    again."""
    return KeyReused(
        f"This requestId was used for a photo more than {JOB_LIFETIME.days} days ago, whose job is not kept any more. "
        "Use a new requestId.",
        field="requestId",
    )
