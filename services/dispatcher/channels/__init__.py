"""The channels: one provider each. Adding one is a module here, a row where the host builds them, and a contract parameter."""
