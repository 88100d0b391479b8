"""Links in messages that lead back here: opens, clicks, unsubscriptions and what contacts choose to be sent."""
