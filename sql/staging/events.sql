/*
description = """The history of the records of all sources in one shape, one row an event. A record's own stamps are events too."""
gathered = true
not_null = ["source", "external_id", "event_id", "event_type"]
optional = ["vendor_type", "actor", "actor_kind", "notes", "severity_from", "severity_to", "is_routine", "is_copied"]

[columns]
source = "source of the record, as in records"
external_id = "record it belongs to"
event_id = "the vendor's id of the event, or one made of the record's id and what the event says"
event_type = "event of the incident model; `other`, `note`, `paused` and the like set no stamp"
vendor_type = "the vendor's word for it, or the field that it comes from"
happened_at = "when it happened. UTC"
actor = "who did it"
actor_kind = "human, integration or timeout; NULL when nothing says it"
notes = "text of a note"
provenance = "api, changelog, field (given as a field of the record: it wins) or derived"
severity_from = "SEV1..SEV4 before a change of severity"
severity_to = "SEV1..SEV4 after it"
is_routine = "of an event of type `other`: whether its kind is known and says nothing about the life of an incident, such as a notification"
is_copied = "whether an integration wrote the stamp into a ticket, as it may copy those of another tool: no evidence of its own. NULL means no"
landed_in = "landing file"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
event_id = "VARCHAR"
event_type = "VARCHAR"
vendor_type = "VARCHAR"
happened_at = "TIMESTAMP"
actor = "VARCHAR"
actor_kind = "VARCHAR"
notes = "VARCHAR"
provenance = "VARCHAR"
severity_from = "VARCHAR"
severity_to = "VARCHAR"
is_routine = "BOOLEAN"
is_copied = "BOOLEAN"
landed_in = "VARCHAR"
*/
