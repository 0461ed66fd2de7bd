/*
description = """Bodies of the webhook contact point of Grafana Alerting, and of Alertmanager's webhook. They become records of the source
alertmanager, one for each alert. Files that hold such a body are recognised without a preset too; with it, a file of anything else
is refused."""
form = "json"
needs = ["alerts", "receiver|groupKey|orgId|externalURL"]
lands = "inbox.alertmanager"

[columns]
address = "externalURL"
body = "one of the alerts"
*/
SELECT line, record ->> '$.externalURL' AS address, unnest(json_extract(record, '$.alerts[*]')) AS body
FROM given
