"""What the gateway keeps: the contracts of a Store and of a Reader, and a package per engine that fulfils
them.

No SQL and no name of a column stands anywhere else.
"""
