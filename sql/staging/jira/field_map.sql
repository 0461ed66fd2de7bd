/*
description = """Which issue fields are mapped, by id or by name, to which stamp or attribute. A field that the site does not list (any more)
goes by its id as configured."""
view = true

[columns]
target = "the stamp or attribute"
field_id = "id of the field"
by_id = "whether it is mapped by its id; NULL where the site does not list it"
written = "the field as configured, in lower case"
name = "the field as the site calls it, else its id"
*/
SELECT map.target, coalesce(f.external_id, map.written) AS field_id, bool_or(normalized(f.external_id) = map.word) AS by_id,
    min(map.written) AS written, coalesce(any_value(f.name), any_value(f.external_id), min(map.written)) AS name
FROM config.fields AS map
LEFT JOIN raw.${source}_fields AS f ON map.word IN (normalized(f.external_id), normalized(f.name))
WHERE map.source = '${source}'
GROUP BY map.target, coalesce(f.external_id, map.written)
