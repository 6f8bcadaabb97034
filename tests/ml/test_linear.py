from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml.linear import check_weights


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repeated_entries_are_summed_and_what_was_given_stays_as_it_is(dtype):
    repeated = sp.csr_matrix((np.ones(4, dtype), np.array([1, 1, 0, 0]), np.array([0, 2, 4])), shape=(2, 2))
    found = check_weights(repeated)
    assert found.nnz == 2
    assert found.toarray().tolist() == [[0, 2], [2, 0]]
    assert repeated.indices.tolist() == [1, 1, 0, 0]
    assert repeated.indptr.tolist() == [0, 2, 4]
    assert repeated.data.tolist() == [1, 1, 1, 1]
