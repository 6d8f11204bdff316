"""The AI budget: holds, estimates, the day's review."""
