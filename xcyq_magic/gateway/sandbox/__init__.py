"""An offline gateway on loopback: it keeps the documented contract, and answers what it received.

It is no model. It is the offline default of the notebooks, the server of the tests, and a place to
learn what is sent. ``python -m xcyq_magic.gateway.sandbox --port 8765`` runs it alone.
tornado is imported in `server` alone.
"""
