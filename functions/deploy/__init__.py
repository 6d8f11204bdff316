"""What a deploy decides: params that it asks for, and what each function may use."""
