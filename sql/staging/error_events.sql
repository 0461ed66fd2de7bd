/*
description = """What happened to issues of error trackers, one row per entry of their histories, and per change that was only seen between two runs."""
gathered = true
not_null = ["source", "external_id", "event_type", "happened_at"]
optional = ["event_id", "not_before", "actor", "actor_kind", "release", "notes"]

[columns]
source = "the account"
external_id = "the issue's immutable id"
event_id = "hash of what the entry says; the vendor's own ids change"
event_type = "regression, reopened, resolved, archived, acknowledged, escalated or note"
happened_at = "when; of a change that was seen between two runs, the time of the run that saw it. UTC"
not_before = "of such a change, the time of the last run that saw the state before; NULL where the time is known, from the vendor or from the release that made the change. UTC"
provenance = "api where the vendor gives the time, derived where it follows from something else"
actor = "who or what did it"
actor_kind = "human, integration or timeout; NULL when unknown"
release = "version that the entry names"
notes = "text"
landed_in = "landing file"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
event_id = "VARCHAR"
event_type = "VARCHAR"
happened_at = "TIMESTAMP"
not_before = "TIMESTAMP"
provenance = "VARCHAR"
actor = "VARCHAR"
actor_kind = "VARCHAR"
release = "VARCHAR"
notes = "VARCHAR"
landed_in = "VARCHAR"
*/
