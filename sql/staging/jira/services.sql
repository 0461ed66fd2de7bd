/*
description = """Names of services by their Atlassian resource name, learnt from the issues: some issues give an affected service as
an object with its name, others as the resource name alone."""
unique = [["ari"]]

[columns]
ari = "resource name, such as ari:cloud:graph::service/..."
name = "name of the service"
*/
WITH mapped AS (
    SELECT DISTINCT field_id FROM staging.${source}_field_map WHERE target = 'service'
),
elements AS (
    SELECT
        unnest(CASE json_type(i.fields[m.field_id]) WHEN 'ARRAY' THEN json_extract(i.fields[m.field_id], '$[*]')
            ELSE [i.fields[m.field_id]] END) AS element,
        i.updated_at
    FROM staging.${source}_issues AS i
    CROSS JOIN mapped AS m
    WHERE i.fields[m.field_id] IS NOT NULL
)
SELECT
    coalesce(element ->> '$.ari', element ->> '$.id') AS ari,
    max_by(text_or_null(element ->> '$.name'), (updated_at, element ->> '$.name')) AS name
FROM elements
WHERE starts_with(coalesce(element ->> '$.ari', element ->> '$.id'), 'ari:') AND text_or_null(element ->> '$.name') IS NOT NULL
    AND json_type(element, '$.name') = 'VARCHAR' -- what is no name must not name the services of other issues
GROUP BY ALL
