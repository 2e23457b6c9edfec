"""A contract suite per interface: pytest classes that each implementation inherits and must pass."""
