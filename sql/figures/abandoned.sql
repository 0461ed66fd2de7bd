/*
description = "Abandoned incidents that count, so that statistics can be made without them: nobody knows whether they are over."
view = true
like = "facts.matched"
not_null = ["incident_no"]

[columns]
incident_no = "="
*/
SELECT incident_no
FROM facts.matched
WHERE is_abandoned
