/*
description = "Values of the PagerDuty custom fields that `[sources.pagerduty.fields]` maps, one row per incident and target."
unique = [["external_id", "target"]]

[columns]
external_id = "PagerDuty id of the incident"
target = "the stamp or attribute that the field is mapped to"
value = "its value as text: of a list its first element; NULL where it is no text"
problem = "what is wrong with it: no text, or no number where one belongs"
updated_at = "when the incident was updated last"
landed_in = "landing file"
*/
WITH flat AS (
    SELECT external_id, updated_at, landed_in, unnest(fields) AS field
    FROM raw.${source}_incident_fields
)
SELECT
    flat.external_id,
    map.target,
    min(json_text(flat.field.value)) AS value,
    min(field_problem(coalesce(flat.field.display_name, flat.field.name), flat.field.value, map.target)) AS problem,
    max(flat.updated_at) AS updated_at,
    min(flat.landed_in) AS landed_in
FROM flat
JOIN config.fields AS map
    ON map.source = '${source}' AND map.word IN (normalized(flat.field.name), normalized(flat.field.display_name))
WHERE json_text(flat.field.value) IS NOT NULL OR is_no_text(flat.field.value)
GROUP BY flat.external_id, map.target
