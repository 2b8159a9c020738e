"""What leaves: SMS to handsets, in a queue for each, the bind that each leaves on, and what follows when it
is refused or not answered.
"""
