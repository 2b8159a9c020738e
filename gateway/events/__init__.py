"""What happened in the service, told to others: the contract of consumers, the relay from the store to each
of them, and the driver for a consumer in this process.
"""
