from itertools import islice

import numpy as np

from gateway.demo.data import CLASSES, load_phishing, sample_instances, split
from gateway.demo.incident import GUILTY


def test_the_table_is_the_one_that_comes_with_river() -> None:
    table = load_phishing()
    assert (len(table), len(table.features)) == (1250, 9)
    assert set(GUILTY) <= set(table.features)
    assert set(table.labels_n) == set(CLASSES)
    assert set(np.unique(table.values_nd)) == {0.0, 0.5, 1.0}


def test_the_split_is_the_same_each_time_and_loses_no_row() -> None:
    table = load_phishing()
    learning, holdout = split(table)
    again, _ = split(table)
    assert (len(learning), len(holdout)) == (900, 350)
    assert np.array_equal(learning.values_nd, again.values_nd)
    both = np.concatenate([learning.values_nd, holdout.values_nd])
    assert np.array_equal(np.sort(both, axis=0), np.sort(table.values_nd, axis=0))


def test_traffic_is_real_rows_one_to_four_a_request() -> None:
    instances = load_phishing().instances()
    requests = list(islice(sample_instances(instances), 200))
    assert {len(request) for request in requests} == {1, 2, 3, 4}
    assert all(row in instances for request in requests[:20] for row in request)
    assert requests == list(islice(sample_instances(instances), 200))
