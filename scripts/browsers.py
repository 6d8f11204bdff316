"""The machine's own browser, in front of the pages. What drives it comes with the checks, so only this file imports it,
and says so where it is missing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


class NoBrowserError(LookupError):
    """There is no browser, or nothing to drive one with. One line says how to get it."""


@contextmanager
def browser() -> "Iterator[Browser]":
    """Start the machine's browser without a window, until the block ends.

    Raises:
        NoBrowserError: this machine has none.
    """
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  (part of the development tools alone)
    except ImportError as error:
        raise NoBrowserError("playwright is not installed: make venv/.dev") from error
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        raise NoBrowserError("no browser for the pages: apt-get install chromium-headless-shell")
    with sync_playwright() as driver:
        # Without its sandbox, which it does not have where it runs as root: it sees no page but ours.
        started = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()
