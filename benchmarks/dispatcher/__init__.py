"""P8 to P11: the dispatcher beside its peers."""
