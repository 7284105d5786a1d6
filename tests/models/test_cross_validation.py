import numpy as np

from geolive.models.baselines import Neighbours
from geolive.models.cross_validation import cross_val_predict
from geolive.places import Places


def test_each_place_is_predicted_by_a_model_of_its_own_that_did_not_see_its_fold():
    seen = []

    class Recorder(Neighbours):
        def fit(self, places, values):
            self.learnt = set(places.ids)
            assert np.array_equal(values, 10.0 * places.positions[:, 0])
            return super().fit(places, values)

        def predict(self, places):
            seen.append((self.learnt, set(places.ids)))
            return super().predict(places)

    lon = np.arange(6.0)
    places = Places.without_images(np.array(list("abcdef")), np.column_stack([lon, np.zeros(6)]))
    found = cross_val_predict(Recorder(n_neighbors=1), places, 10 * lon, np.array([0, 1, 1, 0, 2, 0]))
    assert seen == [(set("bce"), set("adf")), (set("adef"), set("bc")), (set("abcdf"), {"e"})]
    assert found[0] == 10
    assert found[1] == 0
    assert found[5] == 40
