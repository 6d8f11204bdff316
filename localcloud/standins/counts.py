"""Counts the requests received, by endpoint."""

import threading
from collections.abc import Iterator, Mapping


class RequestCounts(Mapping[str, int]):
    """How many requests each endpoint received, by names such as `GET /v1/batches/{batch_id}`; 0 for any other name."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, endpoint: str) -> None:
        """Count one request."""
        with self._lock:
            self._counts[endpoint] = self._counts.get(endpoint, 0) + 1

    def reset(self) -> None:
        """Start again at nothing."""
        with self._lock:
            self._counts.clear()

    def __getitem__(self, endpoint: str) -> int:
        return self._counts.get(endpoint, 0)

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._counts

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._counts))

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return repr(self._counts)
