"""The machinery of this study; nothing in the library imports it."""
