"""`python -m scripts.accounts`: the commands that make the accounts which the functions run as, with their roles.

It prints them and changes nothing: read them, then pipe them into `sh`. They are safe to repeat. Each account has what
its functions use and no more; `functions/deploy/options.py` says which functions run as which.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from scripts.operators.session import Project


@dataclass(frozen=True)
class Grant:
    """A role, where it is given, and what for. `below`: only for objects of the bucket whose path begins so."""

    role: str
    on: Literal["project", "bucket", "itself"]
    why: str
    below: str = ""


_DOCUMENTS = Grant("datastore.user", "project", "documents are read and written")
_LOGS = Grant("logging.logWriter", "project", "log entries are written; none is read, changed or deleted")
_PHOTOS = Grant("storage.objectViewer", "bucket", "photos are read")
"""On the whole bucket: whoever may not list it gets 403 for an object that is missing, and the app has to get 404."""

_TOKENS = Grant("firebaseauth.viewer", "project", "Firebase is asked whether a token was revoked")
_PUSHES = Grant("firebasecloudmessaging.admin", "project", "results, ends of bulk jobs, and alerts are pushed")
REMOTE_CONFIG = Grant("cloudconfig.viewer", "project", "prices come from Remote Config, with `REMOTE_CONFIG`")

ACCOUNTS: dict[str, tuple[Grant, ...]] = {
    "ecolane-calls": (_DOCUMENTS, _LOGS),
    "ecolane-photos": (_DOCUMENTS, _LOGS, _PHOTOS),
    "ecolane-batches": (
        _DOCUMENTS,
        _LOGS,
        _PHOTOS,
        Grant("storage.objectUser", "bucket", "files of batches are written, read and deleted", below="batches/"),
        Grant("iam.serviceAccountTokenCreator", "itself", "links to photos are signed, with `batch.signedUrls`"),
        _PUSHES,
    ),
    "ecolane-bulk": (
        _DOCUMENTS,
        _LOGS,
        _PHOTOS,
        Grant("storage.objectUser", "bucket", "lists and reports of bulk jobs are written and read", below="bulks/"),
        Grant("iam.serviceAccountTokenCreator", "itself", "links to reports are signed"),
        _PUSHES,
    ),
    "ecolane-webhook": (_DOCUMENTS, _LOGS),
    "ecolane-crons": (_DOCUMENTS, _LOGS),
    "ecolane-eraser": (
        _DOCUMENTS,
        _LOGS,
        Grant("storage.objectViewer", "bucket", "photos of users who left are found"),
        Grant("storage.objectUser", "bucket", "and deleted", below="users/"),
        Grant("storage.objectUser", "bucket", "so are lists and reports of their bulk jobs", below="bulks/"),
        Grant("firebaseauth.admin", "project", "their sign-ins are deleted"),
    ),
    "ecolane-guard": (_DOCUMENTS, _LOGS, _PUSHES),
    "ecolane-operators": (
        _DOCUMENTS,
        _LOGS,
        _TOKENS,
    ),
}
"""What each account may do. Secrets are not here: `firebase deploy` lets an account read those that its functions name,
and lets Scheduler's calls, which carry a cron's own account, into that cron."""

CALLABLES = frozenset({"ecolane-calls", "ecolane-photos", "ecolane-bulk"})
"""The accounts of callables for users: with CHECK_REVOKED_TOKENS these ask about each token, too."""


def commands(project: str, bucket: str, *, remote_config: bool, check_revoked: bool) -> Iterator[str]:
    """Yield the shell commands, in their order."""
    for name, grants in ACCOUNTS.items():
        email = f"{name}@{project}.iam.gserviceaccount.com"
        yield (
            f"gcloud iam service-accounts describe {email} --project {project} >/dev/null 2>&1"
            f" || gcloud iam service-accounts create {name} --project {project}"
        )
        extra = [REMOTE_CONFIG] if remote_config else []
        if check_revoked and name in CALLABLES:
            extra.append(_TOKENS)
        for grant in (*grants, *extra):
            yield _binding(grant, email, project, bucket)


def _binding(grant: Grant, email: str, project: str, bucket: str) -> str:
    target = {
        "project": f"projects add-iam-policy-binding {project}",
        "bucket": f"storage buckets add-iam-policy-binding gs://{bucket}",
        "itself": f"iam service-accounts add-iam-policy-binding {email} --project {project}",
    }[grant.on]
    condition = "None"
    if grant.below:
        folder = f"projects/_/buckets/{bucket}/objects/{grant.below}"
        title = grant.below.strip("/")
        condition = f"""'title={title},expression=resource.name.startsWith("{folder}")'"""
    return f"gcloud {target} --member serviceAccount:{email} --role roles/{grant.role} --condition {condition}"


def main(
    project: Project,
    bucket: Annotated[str, typer.Option(help="The bucket of photos.", show_default="PROJECT.firebasestorage.app")] = "",
    remote_config: Annotated[bool, typer.Option("--remote-config", help="For REMOTE_CONFIG=true.")] = False,
    check_revoked: Annotated[bool, typer.Option("--check-revoked", help="For CHECK_REVOKED_TOKENS=true.")] = False,
) -> None:
    """Print the gcloud commands that make the functions' accounts; pipe them into `sh` to run them."""
    for command in commands(
        project, bucket or f"{project}.firebasestorage.app", remote_config=remote_config, check_revoked=check_revoked
    ):
        print(command)


if __name__ == "__main__":
    typer.run(main)
