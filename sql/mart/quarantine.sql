/*
description = """Records that could not be read, with the reason, and fields of records that count without them. They stay in the landing zone. A
later delivery that can be read removes them from this list."""
published = true
not_null = ["source", "reason", "detected_in_run", "raw_reference"]

[columns]
source = "source that delivered the record; custom for imported records, inbox for received webhook bodies"
stream = "kind of record; NULL for a field"
external_id = "id of the record, where it has one"
reason = "why the record could not be read, or which of its fields stays empty and why"
detected_in_run = "id of the run that landed the record"
raw_reference = "landing file (for imports and the inbox also file and line)"
*/
SELECT source, stream, external_id, reason, extract_id AS detected_in_run, raw_reference
FROM (
    SELECT source, stream, external_id, reason, extract_id, raw_reference FROM ops.quarantine
    UNION ALL
    -- landed_in begins with the source and the extract.
    SELECT r.source, NULL, r.external_id, unnest(r.field_problems), split_part(r.landed_in, '/', 2), r.landed_in
    FROM staging.records AS r
    ANTI JOIN core.deleted_records AS d ON d.source = r.source AND d.external_id = r.external_id
    WHERE r.field_problems <> []
)
ORDER BY source, extract_id, stream, raw_reference, external_id, reason
