"""The command line: one file for each family of commands. Nothing else imports it."""
