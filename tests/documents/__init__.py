"""The commands that README, docs and --help show, run as they stand there."""
