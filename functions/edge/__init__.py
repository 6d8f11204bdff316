"""Where requests come in: who asks, what they send, and what they are answered."""
