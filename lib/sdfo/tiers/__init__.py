"""Tiers: what a place for copies means. Only the SAN so far, whose files bear names that no store would take."""
