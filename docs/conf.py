"""How Sphinx makes the site of the pages in this folder: `make docs`."""

from importlib.metadata import version as installed

project = "steel-defect-detection"
author = "The steel-defect-detection authors"
copyright = "the steel-defect-detection authors"  # noqa: A001 -- Sphinx's name for it
version = release = installed("steel-defect-detection")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {version}"
# A block without a language is a shell session, a table or a tree of files.
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"exclude-members": "model_config"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Shape", "params_style")]


def without_tuple_fields(_app, _what, _name, value, skip, _options):
    """Leave out what Python says of a named tuple's fields, which stand among its arguments."""
    return skip or str(value.__doc__).startswith("Alias for field number")


def setup(app):
    """Tell Sphinx what is left out."""
    app.connect("autodoc-skip-member", without_tuple_fields)
