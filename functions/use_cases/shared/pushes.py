"""Pushes: each user is told once what has come of their photos, and of a bulk job, on the devices where they are signed
in."""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from functions import log

if TYPE_CHECKING:
    from datetime import datetime

    from functions.core.wallet.profile import PushSummary
    from functions.wiring import Deps


USERS_AT_ONCE = 100
"""Who are told in one go; between two of them the clock is looked at."""


def push(news: Sequence[PushSummary], until: datetime, deps: Deps) -> int:
    """Notify users, as many as there is time for, and return the number of devices. Failures do not matter: results are
    stored."""
    reached = 0
    for start in range(0, len(news), USERS_AT_ONCE):
        if deps.clock() >= until:
            log.warning(log.Event.PUSH_FAILED, users=len(news) - start, cause="no time left")
            break
        reached += _push(news[start : start + USERS_AT_ONCE], deps)
    return reached


def _push(news: Sequence[PushSummary], deps: Deps) -> int:
    """Notify some users. Jobs carry the push tokens of when they were paid for; those released since, by a sign-out or
    the phone's next user, are looked up, and if that fails nobody is notified. So are the tokens of whoever has none
    with them: a team's wallet knows nobody's."""
    try:
        released = deps.store.released({(item.uid, token) for item in news for token in item.push_tokens})
        current = deps.store.push_tokens_of_each([item.uid for item in news if not item.push_tokens])
        told = [
            replace(item, push_tokens=current[item.uid])
            if item.uid in current
            else replace(item, push_tokens=tuple(t for t in item.push_tokens if (item.uid, t) not in released))
            for item in news
        ]
        sent = deps.messaging.send([item for item in told if item.push_tokens])
    except Exception:  # noqa: BLE001  (whatever it is, results must not wait for pushes)
        log.warning(log.Event.PUSH_FAILED, users=len(news), stack_trace=traceback.format_exc())
        return 0
    remove_tokens(sent.dead, deps)
    return sent.reached


def remove_tokens(dead: Collection[tuple[str, str]], deps: Deps) -> None:
    """Remove dead push tokens, each with its user's id. If that fails, the next push finds them again."""
    tokens: defaultdict[str, set[str]] = defaultdict(set)
    for uid, token in dead:
        tokens[uid].add(token)
    for uid, gone in tokens.items():
        try:
            deps.store.release_tokens(uid, partial(_all, gone), deps.clock())
        except Exception:  # noqa: BLE001  (whatever it is, the next user gets their turn)
            log.warning(log.Event.PUSH_FAILED, users=1, stack_trace=traceback.format_exc())


def _all(tokens: set[str], _devices: object) -> set[str]:
    return tokens
