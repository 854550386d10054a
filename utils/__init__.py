"""Help without a word of the domain."""
