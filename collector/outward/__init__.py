"""Notifications that leave the house: webhooks, services by Apprise, a mail a day, a feed.

What is to be sent stands in the store (`outbox`) from the transaction on that made the
notification, so a kill loses nothing. `courier` takes it from there: to a `webhook`, or through
`services` to whatever Apprise knows. Where that may lead, `reach` says.
"""
