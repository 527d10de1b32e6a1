"""Makes pages lighter and the build faster.

Pages get no scripts for live code cells, which no page uses and the theme declares twice. Two
extensions that keep nothing while pages are read do not declare this, and would hold up the others.
"""

SILENT = ("sphinx_multitoc_numbering", "sphinx-mathjax-offline")


def _without_thebe(app, pagename, templatename, context, doctree):
    def unused(asset):
        body = getattr(asset, "attributes", {}).get("body") or ""
        return "thebe" in f"{getattr(asset, 'filename', asset) or ''}{body}".lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context[kind] if not unused(asset)]


def _in_parallel(app, config):
    for name in SILENT:
        app.extensions[name].parallel_read_safe = True


def setup(app):
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("config-inited", _in_parallel)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
