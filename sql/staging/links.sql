/*
description = """What records say about others, one row per naming: links that the vendor keeps, addresses of records' pages and keys in fields and
texts, keys by which alerts are recognised. That a record was merged into another, or repeats it, is in records.duplicate_of_id. Where a
record has a deduplication key, that is in records.dedup_key. Whether a naming joins two records is not decided here."""
gathered = true
not_null = ["source", "external_id", "place", "reason", "target_kind", "target"]
optional = ["text_id", "target_source", "is_responder"]

[columns]
source = "source of the record in which the link stands, as in records"
external_id = "that record"
place = "where it stands: associated_alert, responder_alert, incident_id, external_reference, remote_link, issue_link, conference_bridge, field, mapped_field, tag, title, description, topic, purpose, bookmark, pin, first_message, note, comment, message, url, alert_key or group_key"
text_id = "the text that it is part of, unique in the record; NULL for a place that holds one link"
reason = "class of the link: vendor, url, key, text (an address or a key in a note, comment or message) or dedup"
target_kind = "what target is: id, url, key or dedup; deploy where a field names the deploy that introduced the incident, which joins no records"
target_source = "source that the target is of, where the vendor says it; never NULL for an id"
target = "the other record: its external_id, the canonical address of its page, its key (or an id, as people wrote it), or a deduplication key; of a deploy its id, version, commit or address as people wrote it"
is_responder = "whether one of the two is a page for the other"
landed_in = "landing file"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
place = "VARCHAR"
text_id = "VARCHAR"
reason = "VARCHAR"
target_kind = "VARCHAR"
target_source = "VARCHAR"
target = "VARCHAR"
is_responder = "BOOLEAN"
landed_in = "VARCHAR"
*/
