"""`make dev`: the local cloud, kept running in real time until Ctrl-C, with everything needed to talk to it."""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import track

from localcloud import up
from localcloud.cloud import CloudSettings, LocalCloud, custom_token
from localcloud.cloud_scheduler_api import SchedulerServer
from localcloud.openai.azure import Deployment
from localcloud.project import ProjectError
from scripts import firebase_cli
from scripts.ecolane_cloud import ecolane_settings
from scripts.played_days import DAYS_MAX, VISITOR, PlayedDays
from scripts.sample_shop import open_shop
from scripts.schedules import EMULATOR

AZURE = {"photos": Deployment("gpt-6-luna", "GlobalStandard")}
"""The model of AZURE_MODEL, under a name of one's own."""


def settings(**changes: Any) -> CloudSettings:
    """Return the settings of this product, with the Firebase CLI installed if Google's suite is to be started."""
    if changes.get("suite") == "official":
        missing = firebase_cli.whats_missing()
        if missing is not None:
            raise ProjectError(missing)
        try:
            firebase_cli.install()
        except RuntimeError as error:
            raise ProjectError(str(error)) from error
    return ecolane_settings(**{"anthropic": True, "azure": AZURE, **changes})  # asked once config/runtime names them


def operators_page(cloud: LocalCloud) -> str:
    """Return the link that opens the operators' page, signed in as a fresh operator."""
    token = custom_token(f"operator-{uuid.uuid4().hex[:8]}", {"admin": True})
    return f"{cloud.page_url}/operator#token={token}"


def more(cloud: LocalCloud, stack: ExitStack, days: int = 0) -> up.Sections:
    """Start Cloud Scheduler's API, play days that have gone by, and open the shop. Says how the operators' commands
    find the first, and shows a fresh user's wallet.

    Raises:
        ProjectError: days cannot be played into this cloud.
    """
    scheduler = SchedulerServer()
    scheduler.start()
    stack.callback(scheduler.stop)
    pages = [cloud.page_url]
    if days:
        play_days(cloud, days)
        pages.append(f"{cloud.page_url}/#token={custom_token(VISITOR)}")
    if cloud.stripe is not None:
        open_shop(cloud)
    headers = f"-H 'Content-Type: application/json' -H 'Authorization: Bearer {cloud.sign_up().id_token}'"
    return {
        "Pages for users, as a new one and as one of the days played" if days else "Page for users": pages,
        "Environment of scripts.schedules": [
            f"export {EMULATOR}={scheduler.host}",
            f"export SCHEDULER_SERVICE_ACCOUNT=scheduler@{cloud.project}.iam.gserviceaccount.com",
        ],
        "A fresh user's wallet": [f"curl -s {cloud.url('get_wallet')} {headers} -d '{json.dumps({'data': {}})}'"],
    }


def play_days(cloud: LocalCloud, days: int) -> None:
    """Fill the cloud with so many days that end now.

    Raises:
        ProjectError: it is not our own cloud in memory.
    """
    if cloud.settings.suite is not None or cloud.firestore.kind != "embedded":
        raise ProjectError("days are played into the embedded Firestore: leave FIRESTORE and SUITE away")
    bucket = cloud.storage_client().bucket(cloud.bucket)

    def upload(path: str, photo: bytes) -> None:
        blob = bucket.blob(path)
        blob.metadata = {"firebaseStorageDownloadTokens": uuid.uuid4().hex}  # as an app uploads, to show it again
        blob.upload_from_string(photo, content_type="image/jpeg")

    with cloud.logs.open("a", encoding="utf-8") as logs:
        played = PlayedDays(days, cloud.firestore.embedded, upload, logs, cloud.clock())
        console = Console(file=sys.stderr)
        for _ in track(played, "Playing the days before", days, console=console, transient=True):
            pass
    for name in cloud.cron.schedules:
        cloud.cron.fire(name)


def main(words: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C, and return the exit status; see `up.main`."""
    parser = argparse.ArgumentParser(prog="make dev", add_help=False, allow_abbrev=False)
    parser.add_argument("--days", default="0")
    mine, rest = parser.parse_known_args(words)
    try:
        days = int(mine.days)
    except ValueError:
        print(f"make dev: DAYS={mine.days} is no number", file=sys.stderr)
        return 2
    if not 0 <= days <= DAYS_MAX:
        print(f"make dev: DAYS={days} is not between 0 and {DAYS_MAX}", file=sys.stderr)
        return 2
    return up.main("make dev", settings, rest, partial(more, days=days), operators_page)


if __name__ == "__main__":
    sys.exit(main())
