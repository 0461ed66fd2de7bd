/*
description = "Addresses of the Jira sites that issues come from."
yields = "sites"
not_null = ["source", "site_url"]

[columns]
source = "the account"
site_url = "scheme and host"
landed_in = "landing file of the newest issue that names it"
*/
SELECT '${source}' AS source, site_url, max(landed_in) AS landed_in
FROM raw.${source}_issues
WHERE site_url IS NOT NULL
GROUP BY site_url
