"""Ways in and out: contract.py says what a driver must do and what it tells; each driver is a package."""
