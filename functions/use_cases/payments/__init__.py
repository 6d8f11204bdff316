"""What is sold: checkouts, what providers tell of payments, and what follows for their payers."""
