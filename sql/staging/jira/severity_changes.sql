/*
description = "The changes of a priority or of a field that is mapped to the severity."
view = true

[columns]
external_id = "id of the issue"
change_id = "id of the history and position of the change in it"
field = "id of the field, else its name (Data Center names no id)"
from_name = "value before, as shown"
to_name = "value after, as shown"
happened_at = "when it was changed; NULL when that cannot be read"
actor = "who did it; NULL for a deleted user and some automation"
actor_kind = "human or integration; NULL when no author is named"
landed_in = "landing file"
*/
SELECT external_id, change_id, field, from_name, to_name, happened_at, actor, actor_kind, landed_in
FROM staging.${source}_changes
WHERE field = 'priority' OR field IN (
    SELECT field_id FROM staging.${source}_field_map WHERE target = 'severity'
    UNION ALL
    SELECT written || ' (custom)' FROM config.fields WHERE source = '${source}' AND target = 'severity'
)
