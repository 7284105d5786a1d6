import numpy as np
import pytest

from geolive.geodesy import chord_to_km, km_to_chord, unit_sphere


def test_distances_are_on_the_sphere():
    def great_circle(a, b):
        return chord_to_km(np.linalg.norm(unit_sphere(a) - unit_sphere(b), axis=1))

    quarter = great_circle(np.array([[0.0, 0.0]]), np.array([[90.0, 0.0]]))
    assert quarter == pytest.approx(6371.0088 * np.pi / 2)
    assert great_circle(np.array([[179.9, 0.0]]), np.array([[-179.9, 0.0]])) == pytest.approx(22.24, abs=0.01)
    assert chord_to_km(km_to_chord(5.0)) == pytest.approx(5.0)
