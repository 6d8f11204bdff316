"""What the Flutter app does, for tests: upload a photo, call a function, look at one's own documents."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any

from google.cloud.firestore import FieldFilter
from PIL import Image, ImageDraw

from localcloud.callables import CallableError
from localcloud.cloud import LocalCloud, SignedIn


def photo(side: int = 320, colour: tuple[int, int, int] = (40, 140, 60)) -> bytes:
    """Return a small JPEG with something on it."""
    image = Image.new("RGB", (side, side), (220, 215, 205))
    ImageDraw.Draw(image).ellipse((side // 4, side // 4, side * 3 // 4, side * 3 // 4), fill=colour)
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


@dataclass
class App:
    """One signed-in user's app."""

    cloud: LocalCloud
    user: SignedIn

    def upload(self, data: bytes | None = None, name: str | None = None, uid: str | None = None) -> str:
        """Store a photo in the user's folder (or another's) and return its path."""
        path = f"users/{uid or self.user.uid}/uploads/{name or uuid.uuid4().hex + '.jpg'}"
        blob = self.cloud.storage_client().bucket(self.cloud.bucket).blob(path)
        blob.upload_from_string(photo() if data is None else data, content_type="image/jpeg")
        return path

    def call(self, function: str, **data: Any) -> Any:
        """Call a function as this user."""
        return self.cloud.call(function, data, self.user.id_token)

    def classify(self, path: str | None = None, mode: str = "batch", request_id: str | None = None, **more: Any) -> Any:
        """Classify a photo; uploads one if none is given."""
        return self.call(
            "classify_image",
            requestId=request_id or uuid.uuid4().hex,
            imagePath=path or self.upload(),
            mode=mode,
            **more,
        )

    def refused(self, function: str, **data: Any) -> CallableError:
        """Call a function that must refuse, and return its error."""
        try:
            answer = self.call(function, **data)
        except CallableError as error:
            return error
        raise AssertionError(f"{function} should have refused, and answered {answer}")

    def job(self, job_id: str) -> Any:
        """Read one's job as the app does."""
        return self.call("get_job", jobId=job_id)

    def stored_job(self, job_id: str) -> dict[str, Any]:
        """Read a job's document as the operator does."""
        return self.cloud.firestore_client().document(f"aiJobs/{job_id}").get().to_dict() or {}

    def statement(self) -> list[tuple[str, int, int]]:
        """Return the ledger like a bank statement: what for, tokens, balance after."""
        ledger = self.cloud.firestore_client().collection("users", self.user.uid, "ledger")
        entries = [snapshot.to_dict() or {} for snapshot in ledger.order_by("seq").stream()]
        return [(entry["reason"], entry["delta"], entry["balanceAfter"]) for entry in entries]

    def stored_documents(self) -> int:
        """Count everything that is stored for this user: wallet, ledger and jobs."""
        client = self.cloud.firestore_client()
        jobs = client.collection("aiJobs").where(filter=FieldFilter("uid", "==", self.user.uid)).stream()
        wallet = client.document("users", self.user.uid, "wallet", "main").get()
        ledger = client.collection("users", self.user.uid, "ledger").stream()
        return len(list(jobs)) + int(wallet.exists) + len(list(ledger))

    def until_final(self, *job_ids: str, hours: float = 30) -> list[Any]:
        """Let cron run until these jobs are final, and return them."""
        end = self.cloud.clock() + timedelta(hours=hours)
        while self.cloud.clock() < end:
            self.cloud.advance(timedelta(minutes=5))
            jobs = [self.job(job_id) for job_id in job_ids]
            if all(job["status"] in {"done", "failed", "cancelled"} for job in jobs):
                return jobs
        raise AssertionError(f"not final after {hours} hours: {[(job['jobId'], job['status']) for job in jobs]}")
