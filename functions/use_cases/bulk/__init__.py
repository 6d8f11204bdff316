"""Bulk jobs: starting one, working it off, its report, and cancelling it."""
