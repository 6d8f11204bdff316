"""Allowances: how much, and at which minute."""
