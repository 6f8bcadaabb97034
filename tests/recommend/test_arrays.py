from __future__ import annotations

import numpy as np
import pytest

from recsys.recommend.arrays import query_arrays

pytestmark = pytest.mark.django_db


def test_gives_columns_as_arrays():
    columns = query_arrays(
        "SELECT n::bigint, (n / 2.0)::real, n::float8, 1::smallint FROM generate_series(%s::int, 3) n",
        (-1,),
        {"n": "i8", "half": "f4", "whole": "f8", "one": "i2"},
    )
    assert columns["n"].tolist() == [-1, 0, 1, 2, 3]
    assert columns["half"].tolist() == [-0.5, 0, 0.5, 1, 1.5]
    assert columns["half"].dtype == np.float32
    assert columns["one"].sum() == 5


def test_no_rows():
    assert query_arrays("SELECT 1::bigint WHERE false", (), {"n": "i8"})["n"].shape == (0,)


@pytest.mark.parametrize("value", ["NULL::bigint", "1::int", "1::smallint"])
def test_refuses_nulls_and_other_widths(value):
    with pytest.raises(ValueError, match="NULLs"):
        query_arrays(f"SELECT {value} FROM generate_series(1, 7)", (), {"n": "i8"})
