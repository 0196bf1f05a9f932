"""What is no media, as text: each kind of value in a module, within a budget of characters."""
