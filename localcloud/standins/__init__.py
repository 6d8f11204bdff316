"""What the stand-ins of services share: how one is served, steered and clocked, and how it fails on request."""
