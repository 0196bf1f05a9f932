"""What kind of thing a value is, told by the names of its classes: no library is imported to ask."""

from __future__ import annotations

from typing import TypeGuard

# What looks like an array to NumPy and is a table to its user, or would be computed by a look at it.
_NO_ARRAYS = {"pandas", "polars", "pyarrow", "modin", "cudf", "dask", "ibis", "pyspark", "sympy"}

PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml")  # as frontends prefer them

# pandas 3 names its classes by where they are imported from.
FRAMES = ("pandas.core.frame.DataFrame", "pandas.DataFrame", "polars.dataframe.frame.DataFrame")
SERIES = ("pandas.core.series.Series", "pandas.Series", "polars.series.series.Series")

# One column of pandas without its labels.
INDEXES = (
    "pandas.core.indexes.base.Index",
    "pandas.Index",
    "pandas.core.arrays.base.ExtensionArray",
    "pandas.api.extensions.ExtensionArray",
)


def is_a(value: object, *names: str) -> bool:
    """Return whether `value` is an instance of a class of one of these qualified names, or of one derived from it."""
    return any(f"{c.__module__}.{c.__qualname__}" in names for c in type(value).__mro__)


def roots(value: object) -> set[str]:
    """Return the top-level packages of the classes that `value` is an instance of."""
    return {str(c.__module__).partition(".")[0] for c in type(value).__mro__}


def is_array(value: object) -> bool:
    """Return whether NumPy can make an array of `value` at little cost, and its user thinks of it as one."""
    return hasattr(type(value), "__array__") and not roots(value) & _NO_ARRAYS and not is_lazy(value)


def is_lazy(value: object) -> bool:
    """Return whether a look at its elements would compute them: dask, and xarray on top of it."""
    return "dask" in roots(value) or (is_a(value, "xarray.core.dataarray.DataArray") and has_chunks(value))


def has_chunks(value: object) -> bool:
    """Return whether an xarray value is backed by dask."""
    return bool(getattr(value, "chunks", None))


def is_buffer(value: object) -> TypeGuard[bytes | bytearray | memoryview]:
    """Return whether `value` is bytes in one of their forms."""
    return isinstance(value, bytes | bytearray) or (isinstance(value, memoryview) and value.format in {"B", "b", "c"})


def is_missing(value: object) -> bool:
    """Return whether `value` stands for one that is not there: None, NaN, and pandas' NA and NaT."""
    named = type(value).__name__ in {"NAType", "NaTType"} and "pandas" in roots(value)
    is_number = isinstance(value, float) or is_a(value, "numpy.floating")
    return value is None or named or (is_number and value != value)  # noqa: PLR0124  # NaN alone differs from itself
