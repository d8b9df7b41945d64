"""The accounts at a glance: what audits answered, as one HTML page and a CSV.

Answers are read and checked by `answers`, counted account by account by `digest`, drawn by `figure` and written by
`page` and `table`. `remote` asks the deployed function. No more than one account's users are in memory at a time,
besides those that the page shows.
"""
