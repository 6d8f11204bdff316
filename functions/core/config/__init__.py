"""The runtime config: its fields, their ranges, changes, and what is in force."""
