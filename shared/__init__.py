"""What two or more services need: messages, the journey language, ids, the clock. Imports no service."""
