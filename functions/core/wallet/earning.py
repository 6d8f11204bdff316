"""The ways to earn tokens. Each has a key, so that it takes effect once, and clips at the balance cap.

daily bonus             bonus:{date}        once a UTC day; days in a row make a streak
manual classification   manual:{requestId}  a user says what a thing is
conversion              convert:{requestId} lifetime points into tokens; the points stay on the leaderboard
"""

from datetime import date, datetime

from functions.core.config.plans import PlanRules
from functions.core.config.tokens import TokenRules
from functions.core.shared.errors import ConversionLimit, InvalidRequest
from functions.core.shared.utc_days import day_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, today_of
from functions.core.wallet.quotas import daily_limit


def daily_bonus(account: Account, rules: TokenRules, now: datetime) -> Account:
    """Grant today's bonus. Raises DailyLimit if today's, or a later day's after the clock went back, was claimed."""
    day = day_of(now)
    if account.wallet.bonus_day >= day:
        raise daily_limit("daily bonus", 1, now)
    before, missed = streak(account.wallet, now), _days_missed(account.wallet, now)
    savers = account.wallet.streak_savers - (missed if before else 0)
    earned = account.earn(rules.daily_bonus, Reason.BONUS, day, now, cap=rules.balance_cap)
    return earned.with_fields(bonus_day=day, streak_days=before + 1, streak_savers=savers)


def streak(wallet: Wallet, now: datetime) -> int:
    """Return the days in a row on which the bonus was claimed, 0 once more days were left out than the user has streak
    savers for."""
    return wallet.streak_days if _days_missed(wallet, now) <= wallet.streak_savers else 0


def _days_missed(wallet: Wallet, now: datetime) -> int:
    """Count the whole days since the last one with a bonus."""
    last = date.fromisoformat(wallet.bonus_day)
    return max((date.fromisoformat(day_of(now)) - last).days - 1, 0)


def manual_classification(
    account: Account, request_id: str, detail: dict[str, str], rules: TokenRules, plan: PlanRules, now: datetime
) -> Account:
    """Reward a user's own classification with tokens and points. Raises DailyLimit if the plan's rewards of today are
    used up."""
    today = today_of(account.wallet, now)
    if today.manual >= plan.manual_per_day:
        raise daily_limit("manual classifications", plan.manual_per_day, now)
    earned = account.earn(
        rules.manual_reward,
        Reason.MANUAL,
        request_id,
        now,
        cap=rules.balance_cap,
        points=rules.points_per_classification,
        detail=detail,
    )
    return earned.with_fields(
        today=today.model_copy(update={"manual": today.manual + 1}), corrections=account.wallet.corrections + 1
    )


def convert_points(account: Account, request_id: str, points: int, rules: TokenRules, now: datetime) -> Account:
    """Turn points into tokens.

    Raises:
        InvalidRequest: `points` is no multiple of what one token takes.
        ConversionLimit: more than today's conversions leave, more than there are points, or more than the balance cap
            has room for, which would burn the points. Details `tokensLeftToday`, `pointsAvailable`, `room`.
    """
    tokens, rest = divmod(points, rules.points_per_token)
    if rest or tokens < 1:
        raise InvalidRequest(f"points must be a multiple of {rules.points_per_token}.", field="points")
    wallet = account.wallet
    today = today_of(wallet, now)
    left = max(rules.conversion_tokens_per_day - today.converted, 0)
    available = wallet.points - wallet.converted_points
    room = max(rules.balance_cap - wallet.free, 0)
    if tokens > left or points > available or tokens > room:
        raise ConversionLimit(
            f"You can convert up to {max(min(left, available // rules.points_per_token, room), 0)} tokens' worth now.",
            tokensLeftToday=left,
            pointsAvailable=max(available, 0),
            room=room,
        )
    posted = account.post(tokens, Reason.CONVERT, request_id, now, detail={"points": str(points)})
    return posted.with_fields(
        converted_points=wallet.converted_points + points,
        today=today.model_copy(update={"converted": today.converted + tokens}),
    )
