"""Those who are paid: Stripe, and RevenueCat for the stores."""
