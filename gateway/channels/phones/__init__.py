"""A channel whose handsets are on a page of the console: the test numbers of console.phones."""
