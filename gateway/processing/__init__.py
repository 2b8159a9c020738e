"""What an SMS leads to: batches are executed, committed and answered; replies get their addresses; a start
takes up what the last run left.
"""
