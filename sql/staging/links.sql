/*
description = """What the records of all sources say about records of others: one row for each time that one names another. Whether a naming
joins the two is decided in core.links."""
gathered = true
not_null = ["source", "external_id", "place", "reason", "target_kind", "target"]
optional = ["text_id", "target_source", "is_responder"]

[columns]
source = "source of the record that names another, as in records"
external_id = "that record"
place = "where it stands, a word of the source, such as associated_alert, remote_link, description or alert_key"
text_id = "which text it stands in: one description, title, note or comment has one id; NULL for a place of its own, where each naming is a link"
reason = "vendor, url, key, text (an address or key in a note or comment) or dedup"
target_kind = "what the target is: id, url, key or dedup"
target_source = "source that the named record must be of, where the vendor says so; kind id always has it"
target = "external_id, canonical address, key in upper case, or dedup key"
is_responder = "whether the named record is an alert that pages people for this one"
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
