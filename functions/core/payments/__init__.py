"""Payments: what was bought, what it is worth, and the plan that it pays for."""
