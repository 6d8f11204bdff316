"""What each kind of function gets of the platform: memory, seconds, callers at once, instances, and an account.

Each kind runs as an account of its own (`name@` in the deploy's project), so broken code reaches what that kind needs
and nothing else. `scripts/accounts.py` has the roles, and makes the accounts. No kind keeps an instance warm
(`min_instances`): a cold start costs a second or two now and then, an idle instance is billed all month.
"""

from typing import Any

from firebase_functions.options import MemoryOption

from functions.core.shared.time_limits import CALL_TIMEOUT, FUNCTION_TIMEOUT
from functions.deploy import params

Options = dict[str, Any]

INSTANCES_MAX = 20
"""Bounds what a flood can cost. A new project may be refused more: a region's quota can start at 20 CPUs."""

_EACH: Options = {
    "region": params.REGION,
    "cpu": 1,
    "concurrency": params.CALLERS_AT_ONCE,
    "max_instances": INSTANCES_MAX,
}
"""Not by `set_global_options`: without it `cpu` is a third, and below a whole CPU an instance serves one caller at a
time."""

CALL: Options = {**_EACH, "memory": MemoryOption.MB_512, "timeout_sec": 60, "service_account": "ecolane-calls@"}
"""A callable that reads and writes a few documents. It waits for Firestore, so one instance serves many callers; half
of its memory is left free for them."""

PHOTO: Options = {
    **_EACH,
    "memory": MemoryOption.GB_1,
    "timeout_sec": CALL_TIMEOUT.seconds,
    "service_account": "ecolane-photos@",
}
"""A callable that holds and decodes photos of up to 10 MB and waits for the provider. Its time is `CALL_TIMEOUT`,
shorter than the lease of an instant job, or `recover_jobs` would refund one that is being answered."""

OPERATOR: Options = {**CALL, "max_instances": 2, "service_account": "ecolane-operators@"}
"""A callable for operators, of whom there are few."""

WEBHOOK: Options = {**CALL, "max_instances": 2, "service_account": "ecolane-webhook@"}
"""Anybody can send to it: a burst of forged events meets two instances. OpenAI retries, and the poll finds what never
came."""

WORKERS: Options = {
    **_EACH,
    "memory": MemoryOption.MB_512,
    "timeout_sec": FUNCTION_TIMEOUT.seconds,
    "concurrency": 1,
    "service_account": "ecolane-crons@",
}
"""A cron, with an instance to itself. It can have 16 workers (`scripts.schedules scale`), some still busy at the next
tick. Its time is `FUNCTION_TIMEOUT`, shorter than the leases that it takes."""

BATCHES: Options = {**WORKERS, "memory": MemoryOption.GB_1, "service_account": "ecolane-batches@"}
"""A cron that builds or collects batches: up to 32 photos, or 100 results, are in memory at a time."""

SWEEP: Options = {**WORKERS, "max_instances": 2}
"""A cron of which one run at a time is enough; the second instance is for a tick that comes twice."""

EXPORT: Options = {**CALL, "max_instances": 2, "service_account": "ecolane-photos@"}
"""A callable that finds a user's photos and fetches none."""

ERASER: Options = {**SWEEP, "service_account": "ecolane-eraser@"}
"""A cron that removes users' photos and sign-ins, which nobody else may."""

GUARD: Options = {**SWEEP, "service_account": "ecolane-guard@"}
"""The budget's guard, which alone pushes alerts and signs them."""
