/*
description = """Sessions of releases, and how many of them crashed, as error trackers count them. One row per release, service, environment and period."""
gathered = true
not_null = ["source", "version", "sessions", "crashed"]
optional = ["service", "environment", "began_at"]

[columns]
source = "the account"
version = "version of the release, as people see it"
service = "name of the service"
environment = "name of the environment as sent"
began_at = "when the day begins. UTC"
sessions = "sessions that began in it"
crashed = "those that crashed"
read_at = "when they were read. UTC"

[types]
source = "VARCHAR"
version = "VARCHAR"
service = "VARCHAR"
environment = "VARCHAR"
began_at = "TIMESTAMP"
sessions = "BIGINT"
crashed = "BIGINT"
read_at = "TIMESTAMP"
*/
