"""The `cbm` command line: thin commands over the service, the client and the pure parts."""
