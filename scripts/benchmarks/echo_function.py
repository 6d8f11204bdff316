"""What BENCH=instant compares with: a function that does nothing, and `classify_image` with another number of threads.

Served by the functions framework as main.py is, which reads THREADS after it has loaded this file.
"""

import os

from flask import Request

from main import classify_image

__all__ = ["classify_image", "echo"]

if "BENCH_THREADS" in os.environ:
    os.environ["THREADS"] = os.environ["BENCH_THREADS"]


def echo(request: Request) -> dict[str, object]:
    body: dict[str, object] = request.get_json()
    return body
