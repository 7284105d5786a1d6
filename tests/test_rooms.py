"""The order of the rooms: a module imports only from rooms above its own, and heavy libraries only where they are used."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = """
errors worker_processes wording phrases languages terminal_text plugins remote_paths extras command_line disk_space
processors temporary_files files dataset_facts storage npy_file partitioned_array table_files indicators tables geodesy
antimeridian coverage coverage_cache user_files text_encodings gdal_files boundary_columns boundary_files region_names
join_report regions hexagons rates model_inputs places clusters dataset_files dataset_checksum partition_scheme
arrow_points partition_files covariate_tables dataset_places labels dataset dataset_folder partitioning shares_below feature_sets
object_classes official_statistics splits bootstrap score_formulas metrics map_plots svg_minify svg_plots pages console
engine process_group collectives sources covariates simulation graphs vision models uncertainty estimation explain
evaluation auditing mapping brief cli __main__
""".split()  # noqa: SIM905
SLOW = {
    "torch", "torch_geometric", "torchvision", "lightning", "timm", "transformers", "skops", "matplotlib", "sklearn", "folium",
    "rasterio",
}  # fmt: skip
MODULES = sorted((ROOT / "geolive").rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_only_from_rooms_above(path):
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    if name == "geolive.__init__":
        # the public names are imported from every room, when they are first used (tests/test_notebook.py)
        return
    own = ROOMS.index(room_of(name))
    used = {m for m in imports(ast.parse(path.read_text())) if m.startswith("geolive.") and m != "geolive.__version__"}
    below = sorted(m for m in used if ROOMS.index(room_of(m)) > own)
    assert below == [], f"{name} imports from below"


def test_documented_order_is_the_tested_one():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)[./]", text, flags=re.MULTILINE)
    assert rows == ROOMS


def test_every_module_is_named_in_the_documentation():
    text = (ROOT / "docs" / "architecture.md").read_text()
    missing = [path.name for path in MODULES if path.name != "__init__.py" and f"`{path.name}`" not in text]
    assert missing == []


@pytest.mark.parametrize(
    "module", ["geolive.cli", "geolive.dataset", "geolive.simulation.sample", "geolive.models.registry"]
)
def test_slow_libraries_are_not_imported_before_they_are_needed(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert SLOW & set(loaded.split()) == set()


def test_help_needs_no_table_library():
    code = "import sys, geolive.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert {"pandas", "geopandas", "numpy", "shapely"} & set(loaded.split()) == set()


def test_gdal_opens_files_of_users_through_one_door():
    allowed = {
        "geolive/gdal_files.py",
        "geolive/regions.py",  # the boundaries that are installed with geolive
        "geolive/mapping/geotiff.py",  # what geolive wrote itself
    }
    opens = re.compile(
        r"\b(?:gpd|geopandas)\.read_file\(|\brasterio\.open\(|"
        r"\bpyogrio\.(?:read_\w+|list_layers|open_arrow)\((?!source\b|f\"MVT:)"
    )
    found = {str(path.relative_to(ROOT)) for path in MODULES if opens.search(path.read_text())}
    assert found - allowed == set()
