"""Inbound webhooks: what other systems post, verified and turned into calls of the tracking API."""
