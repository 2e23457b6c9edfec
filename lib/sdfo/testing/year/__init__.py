"""A simulated year of the archive, with a clock of its own: exams arrive, things go wrong, and nothing may be lost.

`truth.py` is what must hold, kept apart from the archive and by no code of its own; `world.py` is the SAN and the calendar;
`faults.py` breaks what the policy must survive; `steps.py` runs a night's steps, some of them killed; `simulation.py` is the year.
"""
