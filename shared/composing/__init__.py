"""What a command says by a channel: its texts filled in, with the links of ours that they get on their way."""
