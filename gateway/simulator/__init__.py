"""Virtual handsets, and the SMSC that connects them, to try the gateway by hand and in tests."""
