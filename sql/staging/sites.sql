/*
description = """Addresses of the sites that records come from, for sources whose own answers do not name theirs."""
gathered = true
not_null = ["source", "site_url"]

[columns]
source = "the account"
site_url = "scheme and host of the site"
landed_in = "landing file of the record that names it"

[types]
source = "VARCHAR"
site_url = "VARCHAR"
landed_in = "VARCHAR"
*/
