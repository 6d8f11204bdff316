"""`make dev`: the local cloud, kept running in real time until Ctrl-C, with everything needed to talk to it."""

import json
import sys
import uuid
from contextlib import ExitStack
from typing import Any

from localcloud import up
from localcloud.cloud import CloudSettings, LocalCloud, custom_token
from localcloud.cloud_scheduler_api import SchedulerServer
from localcloud.project import ProjectError
from scripts import firebase_cli
from scripts.ecolane_cloud import ecolane_settings
from scripts.schedules import EMULATOR


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
    return ecolane_settings(**changes)


def more(cloud: LocalCloud, stack: ExitStack) -> up.Sections:
    """Start Cloud Scheduler's API; say how the operators' commands find it, and show a fresh user's wallet."""
    scheduler = SchedulerServer()
    scheduler.start()
    stack.callback(scheduler.stop)
    headers = f"-H 'Content-Type: application/json' -H 'Authorization: Bearer {cloud.sign_up().id_token}'"
    operator = custom_token(f"operator-{uuid.uuid4().hex[:8]}", {"admin": True})
    return {
        "Pages, for a user and for an operator": [cloud.page_url, f"{cloud.page_url}/operator#token={operator}"],
        "Environment of scripts.schedules": [
            f"export {EMULATOR}={scheduler.host}",
            f"export SCHEDULER_SERVICE_ACCOUNT=scheduler@{cloud.project}.iam.gserviceaccount.com",
        ],
        "A fresh user's wallet": [f"curl -s {cloud.url('get_wallet')} {headers} -d '{json.dumps({'data': {}})}'"],
    }


if __name__ == "__main__":
    sys.exit(up.main("make dev", settings, more=more))
