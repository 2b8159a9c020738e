"""What happened to one SMS: read from a store, in order of time, as values that pages and commands show."""
