"""A simulated SMS centre: the server side of SMPP, for any ESME, with faults on request (docs/smsc.md)."""
