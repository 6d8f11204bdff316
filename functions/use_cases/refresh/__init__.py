"""Allowances that come by themselves."""
