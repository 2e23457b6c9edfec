"""The night: each step a function of a `Place` (settings and a run), which writes a manifest and returns a report.

    scan ─▶ convert ─▶ verify ─▶ publish ─▶ report

Between steps pass only manifests under `runs/<run>/`. Every step may be run again at any point and comes to the same
bytes; `night` runs them in order.
"""
