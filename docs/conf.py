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
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
