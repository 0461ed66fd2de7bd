"""Sources: one room each. `registry` finds them, `kit` is what all of them use, `pulling` pulls one once.

Nothing outside a source's own room names it.
"""
