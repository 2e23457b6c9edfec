"""One command, one table of ratios: `python -m bench` (or `make bench`).

Each row compares the archive with what a short plain program would do with the same bytes: nobody can be faster than
that on one core, and a machine that is slow today is slow for both. The two sides of a row take turns in one run, with
the same files in the same state of the page cache, and both make durable what they write.
"""
