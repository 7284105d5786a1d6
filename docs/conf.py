"""How Sphinx builds the site: `python -m sphinx -W --keep-going -b html docs build/site` (extra: docs)."""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

import geolive

project = "geolive"
author = "the geolive developers"
release = version = geolive.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
# parts of the page on performance
exclude_patterns = ["_build", "_templates", "examples", "measured"]

# tutorials run from the beginning each time, in a folder of their own, with a cache of their own
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
_scratch = Path(tempfile.mkdtemp(prefix="geolive-docs-"))
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ |= {"GEOLIVE_CACHE": str(_scratch / "cache"), "IPYTHONDIR": str(_scratch / "ipython"), "COLUMNS": "100"}
# cells that begin with %%sh: what a command prints comes whole and without colours, and one that fails ends the build
_startup = _scratch / "ipython" / "profile_default" / "startup"
_startup.mkdir(parents=True)
for _name in ("_commands.py", "_pictures.py"):
    shutil.copy(Path(__file__).parent / _name, _startup)
os.environ["GEOLIVE_DOCS"] = str(Path(__file__).parent)

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_block", "html_image"]
myst_heading_anchors = 4

autosummary_generate = True
# of `Dataset`, methods of its base are documented, too
templates_path = ["_templates"]
# scikit-learn adds methods for the routing of metadata to every estimator
_ROUTING = "set_fit_request, set_predict_request, set_score_request, get_metadata_routing"
autodoc_default_options = {"members": True, "inherited-members": False, "exclude-members": _ROUTING}
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# names from data and formulas are not references
default_role = None
nitpicky = False

html_theme = "pydata_sphinx_theme"
html_title = "geolive"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
copyright = "the geolive developers, MIT licence"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def show_why_not_run(app: object, page: str, source: list[str]) -> None:
    """Show the comments `<!-- not run: REASON -->` before code blocks; tests/test_documentation.py asks for them."""
    source[0] = re.sub(r"<!-- not run: (.+?) -->", r"{.not-run}\nNot run here: \1\n", source[0], flags=re.DOTALL)


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("source-read", show_why_not_run)
