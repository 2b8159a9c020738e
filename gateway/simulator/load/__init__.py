"""The load generator: SMS at a given window or rate, and how long their answers and replies take.

It must be faster than what it measures, or it measures itself. So its usual path does not go through the PDU
classes of gateway.smpp: a submit_sm is octets made once, into which the number and the sequence number are
put; a submit_sm_resp and a deliver_sm are recognised by octets at fixed places. A round trip then takes 3 to
5 µs of everything, measuring included, where the codec alone takes as much for its four PDUs, and the session
more. Everything else that comes goes through gateway.smpp.codec (see link.py).
"""
