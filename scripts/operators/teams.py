"""`team`: a team's tokens and members, and tokens for it."""

import uuid
from typing import Annotated

import typer

from functions.core.jobs.jobs import Job
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, entry_id
from functions.core.wallet.team_wallet import TeamWallet, shown_member
from scripts.operators.grants import ask_again
from scripts.operators.repairs_by_hand import GRANT_TOKENS_MAX, granted, moved
from scripts.operators.session import Operation, RefusedError, changing_for, command, document_id, looking

app = typer.Typer(help="Teams: what they have, who is in them, tokens for them.", no_args_is_help=True)

TeamId = Annotated[str, typer.Argument(help="The team's id, as the app shows it.")]


@app.command()
@command(looking)
def show(operation: Operation, team_id: TeamId) -> None:
    """A team's tokens, and its members with what each has spent this month. One read."""
    team = known_team(operation, team_id)
    members = {uid: shown_member(member, operation.now) for uid, member in sorted(team.members.items())}
    lines = [
        f"{uid}: {each['role']}, {each['used']} of {_limit(each['monthlyLimit'])} tokens this month"
        for uid, each in members.items()
    ]
    operation.show(
        {
            "teamId": team_id,
            "name": team.name,
            "plan": team.plan,
            "balance": team.balance,
            "members": members,
            "associateCount": team.associate_count,
        },
        f"{team.name} ({team.plan}): {team.balance} tokens, {team.purchased} of them bought. {'; '.join(lines)}. "
        f"Associates: {team.associate_count}.",
    )


@app.command()
@command(changing_for)
def grant(
    operation: Operation,
    team_id: TeamId,
    tokens: Annotated[int, typer.Argument(min=1, max=GRANT_TOKENS_MAX, help="How many tokens.")],
    key: Annotated[
        str | None, typer.Option(help="Names the grant: the same key grants once.", show_default="a new key")
    ] = None,
) -> None:
    """Give a team tokens. The same --key grants nothing more."""
    key, why, now = document_id(key or uuid.uuid4().hex), operation.why, operation.now
    name = entry_id(Reason.GRANT, key)
    team = known_team(operation, team_id)
    stored = operation.store.get_entry("", name, team_id)
    posted = stored is None
    if stored is None:

        def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, Fields]:
            if not isinstance(wallet, TeamWallet) or not wallet.members:
                raise RefusedError(f"there is no team {team_id} any more")
            return granted(wallet, key, tokens, why, now), {}

        changes = moved(team, decide(team, None)[0].wallet, None, {})
        operation.ask(changes, f"{tokens} tokens for the team {team.name}: {why}")
        ask_again(operation, tokens)
        audit = operation.audit("team-grant", team_id, audit_id=f"{team_id}:{name}")
        stored, posted = operation.store.post_by_hand("", name, decide, audit, team_id=team_id)
    require_same_payload(stored.detail or {}, {"why": why, "tokens": str(tokens)})
    operation.show(
        {"posted": posted, "entry": stored.as_json()},
        f"{'Done' if posted else 'Nothing was changed'}: {stored.delta:+} tokens, --key {key}.",
    )


def _limit(limit: int | None) -> int | str:
    return "any number of" if limit is None else limit


def known_team(operation: Operation, team_id: str) -> TeamWallet:
    """Return a team. Raises RefusedError if there is none."""
    team = operation.store.get_team(document_id(team_id))
    if team is None:
        raise RefusedError(f"there is no team {team_id}")
    return team
