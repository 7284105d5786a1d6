"""Large coverages are cleaned once; that a cleaned coverage is right is tested in test_regions.py."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geolive import coverage_cache
from geolive.coverage import clean_coverage
from geolive.coverage_cache import clean_or_kept_coverage


@pytest.fixture
def squares(monkeypatch, tmp_path) -> gpd.GeoSeries:
    """Twelve squares with gaps between them, which are many here."""
    monkeypatch.setattr(coverage_cache, "KEPT_FROM_DISTRICTS", 10)
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    return gpd.GeoSeries([shapely.box(80 + i, 25, 80.9995 + i, 26) for i in range(12)], crs="EPSG:4326")


def not_again(_):
    raise AssertionError("cleaned again")


def assert_same(one, other):
    assert shapely.equals_exact(one.geometry.to_numpy(), other.geometry.to_numpy(), 0).all()
    assert one.gap_width_m == other.gap_width_m
    np.testing.assert_array_equal(one.change, other.change)


def test_a_large_coverage_is_read_from_the_cache(squares, monkeypatch):
    first = clean_or_kept_coverage(squares)
    assert_same(first, clean_coverage(squares))
    monkeypatch.setattr(coverage_cache, "clean_coverage", not_again)
    assert_same(clean_or_kept_coverage(squares), first)
    with pytest.raises(AssertionError, match="cleaned again"):
        clean_or_kept_coverage(squares.translate(0.1, 0))


def test_a_small_coverage_is_not_kept(squares, tmp_path):
    clean_or_kept_coverage(squares[:5])
    assert not (tmp_path / "coverages").exists()


def test_a_damaged_cache_is_made_again(squares, tmp_path, monkeypatch):
    first = clean_or_kept_coverage(squares)
    (file,) = (tmp_path / "coverages").iterdir()
    for content in (b"", b"PK damaged", file.read_bytes()[:400]):
        file.write_bytes(content)
        assert_same(clean_or_kept_coverage(squares), first)
    monkeypatch.setattr(coverage_cache, "clean_coverage", not_again)
    assert_same(clean_or_kept_coverage(squares), first)


def test_a_cache_that_cannot_be_written_changes_nothing(squares, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path / "file"))
    assert_same(clean_or_kept_coverage(squares), clean_coverage(squares))
