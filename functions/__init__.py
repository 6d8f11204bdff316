"""Ecolane's Cloud Functions: one use case per file, what they share in `steps`, pure rules in `core`, translators in
`adapters`.

`functions.quote` and the like are loaded when they are first named, so that a process of `quote` loads no other.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions import admin_set_config as admin_set_config
    from functions import admin_stats as admin_stats
    from functions import cancel_job as cancel_job
    from functions import claim_daily_bonus as claim_daily_bonus
    from functions import classify_image as classify_image
    from functions import classify_images as classify_images
    from functions import convert_points as convert_points
    from functions import get_job as get_job
    from functions import get_wallet as get_wallet
    from functions import guard_budget as guard_budget
    from functions import list_jobs as list_jobs
    from functions import list_ledger as list_ledger
    from functions import openai_webhook as openai_webhook
    from functions import poll_batches as poll_batches
    from functions import quote as quote
    from functions import record_manual_classification as record_manual_classification
    from functions import recover_jobs as recover_jobs
    from functions import refresh_credits as refresh_credits
    from functions import register_device as register_device
    from functions import submit_batches as submit_batches
    from functions import unregister_device as unregister_device
    from functions import upgrade_job as upgrade_job
else:

    def __getattr__(name: str) -> ModuleType:
        """Load a module of this package: Python asks here for a name that the package does not have yet."""
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise  # the module is there and lacks something
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
