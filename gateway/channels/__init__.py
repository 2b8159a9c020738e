"""Ways in and out. contract.py says what a way must do and what it tells; each driver is a package of its own."""
