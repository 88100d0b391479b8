"""The channels: one provider each. A new one is a module here, a row where hosts build them, a contract parameter."""
