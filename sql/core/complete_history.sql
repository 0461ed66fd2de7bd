/*
description = """From when on the history of a source is complete: the start of the windows that its pulls cover together without a gap
up to the newest one. A record that began earlier is only here because it was open then or touched later, so a record that ended in
time is missing beside it. Sources that are not pulled (files and received webhooks) have no row: their history begins with their
first record."""
not_null = ["source", "complete_since"]
unique = [["source"]]

[columns]
source = "source of records"
complete_since = "the history is complete from this instant on"
*/
SELECT r.source, h.complete_since
FROM config.record_sources AS r
JOIN ops.histories AS h ON h.source = r.account
