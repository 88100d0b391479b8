"""What data there is: events with their properties, and traits; ours (``standard.yaml``) and the user's alike."""
