"""``kikkake demo``: a sample shop's day through the real HTTP API, the real engine and a real SMTP server."""
