/*
description = """One row per vendor record and episode: the incident that it is counted under, and why. The id that a record would have had alone is
record_id, so an incident that became a part of another one is still found. Records without a usable stamp are no incidents yet;
data_quality counts them."""
published = true
like = "core.incidents"
not_null = ["incident_id", "record_id", "source", "external_id", "episode", "role"]
unique = [["record_id"], ["source", "external_id", "episode"]]

[assert]
only_the_primary_has_no_reason = "(role = 'primary') = (coalesce(link_reason, 'own') = 'own')"

[columns]
incident_id = "incident that the record is counted under"
record_id = "the incident_id that it has when it stands alone"
source = "source of the record"
external_id = "the vendor's immutable id of the record"
episode = "="
role = "primary (the incident has its id), member, or duplicate (merged at the vendor)"
link_reason = "the most reliable link that makes it a part of the incident: vendor, url, key, text, dedup or chosen; NULL for the primary record. Without correlation: own, merged or flap"
*/
SELECT
    coalesce(m.incident_id, s.record_id) AS incident_id,
    s.record_id,
    s.source,
    s.external_id,
    s.episode,
    coalesce(m.role, 'primary') AS role,
    CASE WHEN run.correlates THEN m.link_reason WHEN s.flap_of IS NOT NULL THEN 'flap' WHEN s.duplicate_of_id IS NOT NULL THEN 'merged' ELSE 'own' END
        AS link_reason
FROM core.standalone AS s
CROSS JOIN config.run AS run
LEFT JOIN core.members AS m ON m.record_id = s.record_id
ORDER BY s.source, s.external_id, s.episode
