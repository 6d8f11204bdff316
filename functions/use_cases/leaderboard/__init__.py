"""The leaderboard: taking part, looking, and the ranks."""
