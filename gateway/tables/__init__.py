"""What tables hold, row by row: compared, shown, exported and imported. Pure but for files."""
