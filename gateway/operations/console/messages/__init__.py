"""What the section messages shows: a search among SMS, and one SMS with its cause and its effects."""
