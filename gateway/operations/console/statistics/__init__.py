"""The reports of the section Statistics: what they say, the figures behind them, and their files."""
