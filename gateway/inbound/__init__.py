"""Mobile originated SMS before they are executed: reads them, limits handsets, recognises retransmissions,
joins long messages, hashes passwords.
"""
