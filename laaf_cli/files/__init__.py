"""Files: written whole or not at all, locked, exported; read with suspicion in `untrusted`."""
