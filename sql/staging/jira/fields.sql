/*
description = """Values of the issue fields that are mapped by id or by name, one row per issue and target. A field named by its
id goes before one named by its name; of several, the first by id that has a value that can be read."""
unique = [["external_id", "target"]]

[columns]
external_id = "id of the issue"
target = "the stamp or attribute that the field is mapped to"
field_id = "id of the field"
value = "its value as text: of an option its value, of an object its name, of a list its first element; NULL where it is no text"
happened_at = "that value as an instant, for targets that are stamps"
problem = "why a stamp cannot be read"
field_problem = "what is wrong with the value: no text, or no number where one belongs"
landed_in = "landing file"
*/
WITH flat AS (
    SELECT external_id, unnest(map_entries(fields)) AS field, landed_in FROM staging.${source}_issues
),
placed AS (
    SELECT
        flat.external_id, mapped.target, mapped.field_id, json_text(flat.field.value) AS value, flat.landed_in,
        field_problem(mapped.name, flat.field.value, mapped.target) AS field_problem,
        row_number() OVER (
            PARTITION BY flat.external_id, mapped.target ORDER BY json_text(flat.field.value) IS NULL, coalesce(mapped.by_id, true) DESC,
                mapped.field_id
        ) AS place
    FROM flat
    JOIN staging.${source}_field_map AS mapped ON mapped.field_id = flat.field.key
    WHERE json_text(flat.field.value) IS NOT NULL OR (is_no_text(flat.field.value) AND mapped.target <> 'responders')
)
SELECT
    external_id, target, field_id, value,
    CASE WHEN target LIKE '%\_at' ESCAPE '\' THEN instant(value, zone) END AS happened_at,
    CASE WHEN target LIKE '%\_at' ESCAPE '\' AND value IS NOT NULL THEN instant_problem(target, value, instant(value, zone)) END AS problem,
    field_problem,
    landed_in
FROM placed
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
WHERE place = 1
