/*
description = """One row per vendor record: the incident that it is counted under, and why. Records without a usable stamp are no incidents
yet; data_quality counts them."""
published = true
not_null = ["incident_id", "source", "external_id", "link_reason"]
unique = [["source", "external_id"]]

[columns]
incident_id = "incident that the record is counted under"
source = "source of the record"
external_id = "the vendor's immutable id of the record"
link_reason = "own (its own incident), merged (a duplicate of another record) or flap (the same dedup key came back)"
*/
SELECT
    incident_uuid(r.source, coalesce(f.root_id, d.root_id, r.external_id), 1) AS incident_id,
    r.source,
    r.external_id,
    CASE WHEN f.root_id IS NOT NULL THEN 'flap' WHEN d.root_id IS NOT NULL THEN 'merged' ELSE 'own' END AS link_reason
FROM core.records AS r
LEFT JOIN core.flaps AS f ON f.source = r.source AND f.external_id = r.external_id
LEFT JOIN core.duplicates AS d ON d.source = r.source AND d.external_id = r.external_id
SEMI JOIN core.episodes AS e ON e.source = r.source AND e.record_id = coalesce(f.root_id, r.external_id)
ORDER BY r.source, r.external_id
