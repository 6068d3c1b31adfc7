"""Other packages' ways to use SCTP, over the sockets of this one: a script changes its import and nothing else."""
