"""How long functions run, and how often: what the deploy asks for, and what leases and runs go by."""

from collections.abc import Mapping
from datetime import timedelta

FUNCTION_TIMEOUT = timedelta(seconds=540)
"""The longest a scheduled function may run; leases have to outlive it."""

CALL_TIMEOUT = timedelta(seconds=120)
"""The longest a call that asks the provider may run; the lease of its job has to outlive it."""

RUN_TIME = timedelta(seconds=300)
"""After this a scheduled function begins no batch, job, page or alert. The next run begins then, and the rest of
`FUNCTION_TIMEOUT` is enough for the longest step, with everything outside at its slowest."""

CRON_MINUTES: Mapping[str, int] = {
    "submit_batches": 5,
    "poll_batches": 5,
    "recover_jobs": 10,
    "run_bulk": 5,
    "refresh_credits": 5,
    "erase_accounts": 15,
    "guard_budget": 15,
    "guard_rollouts": 1,
    "plan_ahead": 24 * 60,
    "rank_users": 60,
    "reconcile_billing": 15,
}
"""How often each scheduled function runs, as main.py declares it."""
