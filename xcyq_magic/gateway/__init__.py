"""How it travels: the catalogue, the wire format, the client and its key, the offline sandbox.

httpx is imported in `client` alone, tornado in `sandbox` alone.
"""
