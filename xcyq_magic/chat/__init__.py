"""What is said: frozen values without I/O. Imports nothing of the package but its errors."""
