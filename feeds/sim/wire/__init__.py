"""What the twins share when they write messages."""
