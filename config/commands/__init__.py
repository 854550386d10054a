"""The commands, one module a family; each adds its own to the command line."""
