"""What each provider is asked in, and answers in: one file a provider, pure."""
