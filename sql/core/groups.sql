/*
description = """The records that links join, each with its group. Groups are the connected parts of the graph of all links that core.links finds
nothing against, and of the records that a vendor merged or that flapped. Two rules keep records apart:
A refused pair is never in one group, whatever third record both are linked to. Links join in the order of their strength: flaps,
decisions, merged records, vendor, url, key, text, dedup, then the nearer lifetimes, then the ids. One that would bring a refused pair
together is left out. So the weakest link gives way, in whatever order things arrived.
A group of more than 20 records, or of more than 7 days from its first to its last detection, falls back to what decisions, merges and
flaps join. Merged records and flaps do not count: a vendor's own merge has no limit."""
python = "mttr_pipeline.metrics.groups:compute"
depends = ["core.links", "core.standalone"]
not_null = ["record_id", "group_no"]
unique = [["record_id"]]

[columns]
record_id = "the record and episode"
group_no = "the same number for the records of one group; only this run knows it"
linked_no = "the same number for all records that links join, whether they are one group or are kept apart"
kept_apart = "why not all that links join is one group: refused, large (more than 20 records) or long (more than 7 days); NULL where it is"
*/
SELECT record_id::VARCHAR AS record_id, group_no::BIGINT AS group_no, linked_no::BIGINT AS linked_no, nullif(kept_apart::VARCHAR, '') AS kept_apart
FROM computed
