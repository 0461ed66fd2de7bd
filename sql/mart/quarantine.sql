/*
description = """Records that could not be read, with the reason. They are kept in the landing zone; a later delivery that can be
read takes them off this list."""
published = true
not_null = ["source", "reason", "detected_in_run", "raw_reference"]

[columns]
source = "source it was pulled from: pagerduty, opsgenie, jsm, jira, custom or inbox (received bodies)"
stream = "kind of record"
external_id = "its id, where it has one"
reason = "what is wrong with it"
detected_in_run = "id of the run whose extract landed it"
raw_reference = "landing file (for imports and the inbox also file and line)"
*/
SELECT source, stream, external_id, reason, extract_id AS detected_in_run, raw_reference
FROM ops.quarantine
ORDER BY source, extract_id, stream, raw_reference, external_id, reason
