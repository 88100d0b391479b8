"""Links in messages: what they carry, sealed, so that nobody reads it, changes it or makes one of his own."""
