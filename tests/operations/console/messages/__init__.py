"""What the section messages of the console is made of."""
