"""Leaves fields of named tuples out of the page of the library: their docstrings say nothing."""


def _skip(app, what, name, obj, skip, options):
    return True if str(obj.__doc__).startswith("Alias for field number") else None


def setup(app):
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
