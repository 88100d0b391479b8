"""What a journey's ``call`` reaches. A connector is a file here that keeps the protocol of ``base``."""
