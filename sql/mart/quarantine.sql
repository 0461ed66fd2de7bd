/*
description = """Records that could not be read, with the reason. They stay in the landing zone. A later delivery of a record that can be read
removes it from this list."""
published = true
not_null = ["source", "reason", "detected_in_run", "raw_reference"]

[columns]
source = "source that delivered the record; custom for imported records, inbox for received webhook bodies"
stream = "kind of record"
external_id = "id of the record, where it has one"
reason = "why the record could not be read"
detected_in_run = "id of the run that landed the record"
raw_reference = "landing file (for imports and the inbox also file and line)"
*/
SELECT source, stream, external_id, reason, extract_id AS detected_in_run, raw_reference
FROM ops.quarantine
ORDER BY source, extract_id, stream, raw_reference, external_id, reason
