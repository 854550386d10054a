"""What the environment says, and how the database is reached."""
