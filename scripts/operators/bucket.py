"""Storage for operators: what the functions do there, and the rules by which the bucket deletes by itself."""

from typing import Any
from urllib.parse import quote

from functions.adapters.storage import StorageFiles

_APPS = "https://firebasestorage.googleapis.com"


class OperatorFiles(StorageFiles):
    """What the functions do, and the rules of the bucket."""

    def link(self, path: str) -> str | None:
        """Return the link that Storage made when an app uploaded a photo, and which opens it to whoever has it."""
        blob = self._bucket.get_blob(path)
        token = (blob.metadata or {}).get("firebaseStorageDownloadTokens", "") if blob else ""
        name = quote(path, safe="")
        return f"{_APPS}/v0/b/{self._bucket.name}/o/{name}?alt=media&token={token.split(',')[0]}" if token else None

    def lifecycle(self) -> tuple[list[dict[str, Any]], int]:
        """Return the bucket's rules, and their version."""
        self._bucket.reload()
        return [dict(each) for each in self._bucket.lifecycle_rules], int(self._bucket.metageneration)

    def set_lifecycle(self, rules: list[dict[str, Any]], version: int) -> None:
        """Set the bucket's rules, if they are at this version. Raises google.api_core's PreconditionFailed."""
        self._bucket.lifecycle_rules = rules
        self._bucket.patch(if_metageneration_match=version)
