"""Users in a closed loop, in a process of their own so that they do not take from what they measure.

Reads a JSON object from standard input, `calls` and `users` (`url`, `headers`, and `data`, to which a new `requestId`
is added each time), and prints another: `seconds`, `milliseconds` of each call answered with 200, and the `others`.
"""

import json
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

CALL_SECONDS_MAX = 120


class Crowd:
    """All the users: each has a connection, and calls again as soon as it is answered."""

    def __init__(self, calls: int) -> None:
        self._left = iter(range(calls))
        self._mutex = threading.Lock()
        self.milliseconds: list[float] = []
        self.others: Counter[str] = Counter()

    def run(self, users: list[dict[str, Any]]) -> float:
        """Let them call until all calls are made, and return the seconds that it took."""
        started = time.perf_counter()
        with ThreadPoolExecutor(len(users)) as pool:
            list(pool.map(self._use, users))
        return time.perf_counter() - started

    def _use(self, user: dict[str, Any]) -> None:
        place = urlsplit(user["url"])
        connection = HTTPConnection(place.hostname or "", place.port, timeout=CALL_SECONDS_MAX)
        headers = {"Content-Type": "application/json", **user["headers"]}
        while next(self._left, None) is not None:
            data = {**user["data"], "requestId": uuid.uuid4().hex}
            started = time.perf_counter()
            try:
                connection.request("POST", place.path, json.dumps({"data": data}), headers)
                answer = connection.getresponse()
                body, status = answer.read(), str(answer.status)
            except (OSError, HTTPException) as error:
                connection.close()
                body, status = b"", type(error).__name__
            took = (time.perf_counter() - started) * 1000
            with self._mutex:
                if status == "200":
                    self.milliseconds.append(took)
                else:
                    self.others[f"{status} {body[:300].decode(errors='replace')}"] += 1
        connection.close()


def main() -> None:
    plan = json.load(sys.stdin)
    crowd = Crowd(plan["calls"])
    seconds = crowd.run(plan["users"])
    print(json.dumps({"seconds": seconds, "milliseconds": crowd.milliseconds, "others": crowd.others}))


if __name__ == "__main__":
    main()
