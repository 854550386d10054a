"""The shapes of the replies; each says the same as the text beside it, and either is enough alone."""
