"""What comes from handsets, before it is executed: reading an SMS, limits of a handset, retransmissions,
joining of long messages, hashing of passwords.
"""
