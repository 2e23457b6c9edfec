"""Copies that may go: the gate, what it is told, and the two steps in which they go."""
