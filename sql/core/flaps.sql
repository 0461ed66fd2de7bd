/*
description = """Records that continue an incident: the same dedup key on the same service triggers again within the flap time (default 10
minutes) after the resolve before it. A pair that a person refused stays apart. Only records that are counted under another record are listed."""
not_null = ["source", "external_id", "root_id"]
unique = [["source", "external_id"]]

[columns]
source = "source"
external_id = "the record that continues the incident"
root_id = "external_id of the first record of the incident, under which it is counted"
*/
WITH spans AS (
    SELECT
        e.source,
        e.external_id,
        min(e.happened_at) FILTER (WHERE e.event_type = 'detected') AS detected_at,
        max(e.happened_at) FILTER (WHERE e.event_type = 'resolved') AS resolved_at
    FROM core.events AS e
    WHERE e.set_aside IS NULL AND e.event_type IN ('detected', 'resolved')
    GROUP BY e.source, e.external_id
),
keyed AS (
    SELECT
        s.source,
        s.external_id,
        r.dedup_key,
        coalesce(r.service, '') AS service,
        s.detected_at,
        coalesce(s.resolved_at, TIMESTAMP '9999-01-01') AS resolved_at
    FROM spans AS s
    JOIN core.vendor_records AS r ON r.source = s.source AND r.external_id = s.external_id
    WHERE r.dedup_key IS NOT NULL AND NOT r.is_duplicate AND r.kind = 'incident' AND s.detected_at IS NOT NULL
),
placed AS (
    SELECT *, max(resolved_at) OVER (
        PARTITION BY source, dedup_key, service ORDER BY detected_at, external_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS resolved_before
    FROM keyed
),
islands AS (
    SELECT
        p.*,
        sum(CASE
            WHEN p.resolved_before IS NOT NULL AND epoch_us(p.detected_at) - epoch_us(p.resolved_before) <= run.flap_us THEN 0
            ELSE 1
        END) OVER (PARTITION BY p.source, p.dedup_key, p.service ORDER BY p.detected_at, p.external_id) AS island
    FROM placed AS p
    CROSS JOIN config.run AS run
),
rooted AS (
    SELECT
        source,
        external_id,
        first_value(external_id) OVER (
            PARTITION BY source, dedup_key, service, island ORDER BY detected_at, external_id) AS root_id
    FROM islands
)
SELECT source, external_id, root_id
FROM rooted
ANTI JOIN config.refusals AS r ON r.source = rooted.source AND r.external_id = rooted.external_id AND r.other_source = rooted.source
    AND r.other_external_id = rooted.root_id
WHERE external_id <> root_id
