"""Virtual handsets and the SMS-centre side that carries them, to try the gateway by hand and in tests."""
