"""What operators hear of a call that went from one provider to the other: at once, if it is theirs to mend. As long as
the other one answers, no user says anything."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from functions import log
from functions.core.model.provider_outage import OURS
from functions.core.shared.alerts import AlertKind, opened
from functions.core.shared.providers import LABELS

if TYPE_CHECKING:
    from functions.core.model.refusals import ProviderDownError
    from functions.core.shared.providers import Provider
    from functions.use_cases.rollouts.serving import Served
    from functions.wiring import Deps


def tell_operators(failed: Sequence[ProviderDownError], path: Served, deps: Deps) -> None:
    """Alert operators to a key, an account or a setting that a provider refused where another could answer. A write,
    once a day and process; the alert of the guard, which ends it."""
    if path.second is not None and failed and (kind := OURS.get(failed[0].trouble)):
        _tell(kind, f"{path.model} refuses us ({failed[0]}): {path.second} is asked instead.", deps)
    tell_of_no_key(deps.runtime().providers.order, deps)


def tell_of_no_key(order: Sequence[Provider], deps: Deps) -> None:
    """Alert operators, in the same way, to a provider that the config names and the deploy has no key for."""
    for provider in order:
        if not deps.settings.reaches(provider):
            text = (
                f"The config names {LABELS[provider]}, and this deploy has no {provider.upper()}_API_KEY, or not its "
            )
            _tell(AlertKind.PROVIDER_REFUSES, f"{text}address: it is not asked.", deps)


def _tell(kind: AlertKind, text: str, deps: Deps) -> None:
    now = deps.clock()
    told = opened(kind, text, now)
    if told.alert_id in deps.told:
        return
    try:
        deps.store.open_alert(told)
    except Exception:  # noqa: BLE001  (whatever it is, the user's call has ended as it has; the next one tells it)
        log.warning(log.Event.OUTAGE_UNRECORDED, door=kind, stack_trace=traceback.format_exc())
    else:
        log.alert(log.Event.OPERATOR_ALERT, kind=kind, day=told.day, text=told.told)
        deps.told.add(told.alert_id)
