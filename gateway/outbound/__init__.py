"""Mobile terminated SMS: queues them per handset, chooses the bind for each, and retries those that were
refused or not answered.
"""
