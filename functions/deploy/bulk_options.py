"""What the functions of bulk jobs get of the platform: see `functions.deploy.options`."""

from firebase_functions.options import MemoryOption

from functions.deploy.options import CALL, SWEEP, Options

LISTING: Options = {**CALL, "max_instances": 2, "service_account": "ecolane-bulk@"}
"""A callable that lists a user's photos, and stores the list, or makes a link to a report."""

BULK: Options = {**SWEEP, "memory": MemoryOption.GB_1, "service_account": "ecolane-bulk@"}
"""A cron that reads the photos of bulk jobs, eight at a time."""
