"""What every simulated vendor builds on: its declaration, HTTP shapes, paging, rate limits and search languages.

Belongs here: what more than one vendor needs. Does not belong here: a field, a limit or an error text of one vendor.
"""
