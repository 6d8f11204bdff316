"""Jobs: their states, attempts and ends."""
