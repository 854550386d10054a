"""A private PostgreSQL from the programs of a wheel: `server` is the way in, every other module one noun of it."""
