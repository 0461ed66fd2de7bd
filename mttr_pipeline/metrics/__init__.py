"""Statistics that SQL says badly: each function here is the `python` of one file in `sql/`.

What belongs here: arithmetic over whole columns in numpy and scipy. What does not: which rows count (that is `sql/core`), what
a result is called and in what words it is told (that is the SELECT of the file that names the function).

Every result is the same to the last bit on every run and with any number of threads: rows are put into a full order first,
and running sums are sums of integers.
"""
