"""Statistics that SQL expresses badly. The function `compute` of a module makes the rows of the SQL file that names it as `python`.

What belongs here: arithmetic over whole columns, in numpy and scipy. What does not: which incidents count, and what a result is
called and means. Those are in the SQL files.

Results are the same to the last bit on every run and with any number of threads: rows are fully ordered first, and running sums
are sums of integers.
"""
