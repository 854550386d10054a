"""How the program is put together: what the environment says, and the parts made from it."""
