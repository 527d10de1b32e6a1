"""Buttons for the public repository: source, edit this page, Binder, Colab. None without one.

The buttons of the theme would lead to notebooks that the build makes and the repository lacks. Ours
lead to the text of a page, and to the notebook in notebooks/ that belongs to it.
"""

from pathlib import Path

BRANCH, COLAB = "main", "colab"  # the second has notebooks/ as .ipynb files: scripts/colab.py
NOTEBOOKS = {  # pages whose names begin so: their notebook
    "when/guide": "guide",
    "when/": "explore_synthetic",
    "features": "explore_synthetic",
    "experiments/": "open_result",
    "datasets/": "dataset",
    "methods/": "method",
}
START = "start"  # the notebook of all other pages; its links do not work in Colab


def buttons(address, page, has_text):
    """Groups of buttons as the theme draws them.

    Args:
        address: of the repository.
        has_text: whether the page is a file of the book; pages of experiments are not.
    """
    place = address.removeprefix("https://github.com/")
    notebook = next((n for start, n in NOTEBOOKS.items() if page.startswith(start)), START)
    binder = f"https://mybinder.org/v2/gh/{place}/{BRANCH}?urlpath=lab/tree/notebooks/{notebook}.py"
    launch = [_link("Binder", binder, "_static/images/logo_binder.svg")]
    if notebook != START:
        colab = f"https://colab.research.google.com/github/{place}/blob/{COLAB}/{notebook}.ipynb"
        launch.append(_link("Colab", colab, "_static/images/logo_colab.png"))
    source = [_link("Repository", address, "fab fa-github")]
    if has_text:
        edit = f"{address}/edit/{BRANCH}/book/{page}.md"
        source.append(_link("Edit this page", edit, "fas fa-pencil-alt"))
    return [
        _group("Run the notebook of this page", "fas fa-rocket", "launch-buttons", launch),
        _group("Source of this page", "fab fa-github", "source-buttons", source),
    ]


def _link(text, url, icon):
    return {"type": "link", "text": text, "tooltip": text, "url": url, "icon": icon}


def _group(tooltip, icon, label, links):
    return {"type": "group", "tooltip": tooltip, "icon": icon, "label": label, "buttons": links}


def _add(app, pagename, templatename, context, doctree):
    if app.config.repository and doctree is not None:
        has_text = Path(app.srcdir, f"{pagename}.md").exists()
        context["header_buttons"][:0] = buttons(app.config.repository, pagename, has_text)


def setup(app):
    app.add_config_value("repository", "", "html")
    app.connect("html-page-context", _add, priority=600)  # after the theme's own buttons
    return {"parallel_read_safe": True, "parallel_write_safe": True}
