"""What a source that is pulled over HTTP is built from. Sources in other packages import it too.

    source          what a source is, and a base class for one
    http, failures  the client: rate limit, retries, and messages that say what to do
    ratelimit       the rate limit that the threads of a source share
    envelope        cut a response into records, byte for byte
    paging          read a listing by offset or by token, every row once
    windows, plan   time windows, and what one pull reads
    runner, pull    the tasks of one extract, and a base class for it
    audit           find records that the vendor has deleted
    explain         redaction, and the vendor's message in an error body
    alert_search, alert_pull  for alert APIs that share one search language

What does not belong here: any vendor.
"""
