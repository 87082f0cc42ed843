"""A whole OpenClaw state directory: read in any state, never changed, reported item by item (STORE-6)."""
