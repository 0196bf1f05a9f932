"""What kind of thing a value is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xcyq_magic.media.kinds import is_missing


@pytest.mark.parametrize("value", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT], ids=repr)
def test_what_stands_for_nothing_is_missing(value):
    assert is_missing(value)


@pytest.mark.parametrize(
    "value", [0, 0.0, "", "nan", [], np.float64(1), np.array([np.nan]), np.inf, pd.Timestamp(0), np.ma.masked], ids=repr
)
def test_what_is_a_value_is_not(value):
    assert not is_missing(value)
