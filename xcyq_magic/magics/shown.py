"""The values that IPython shows as we do: at the end of a cell, and with ``display``."""

from __future__ import annotations

from typing import Any


def _completion(completion: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # IPython's protocol
    from xcyq_magic.display.bundle import completion_bundle

    return completion_bundle(completion)


def _comparison(comparison: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.settled_comparison import comparison_bundle

    return comparison_bundle(comparison)


def _usage(report: Any, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401, ARG001  # as above
    from xcyq_magic.display.usage import usage_bundle

    return usage_bundle(report)


# By module and name: their modules are imported with the first of them.
_SHOWN = {
    ("xcyq_magic.chat.completion", "Completion"): _completion,
    ("xcyq_magic.chat.comparison", "Comparison"): _comparison,
    ("xcyq_magic.chat.usage", "UsageReport"): _usage,
}


def register(formatter: Any) -> None:  # noqa: ANN401  # IPython's
    """Have IPython's formatter of whole bundles show them."""
    for (module, name), bundle in _SHOWN.items():
        formatter.for_type_by_name(module, name, bundle)


def forget(formatter: Any) -> None:  # noqa: ANN401  # IPython's
    """Take that back."""
    # By name they wait as deferred; once one was shown, it is known by its class.
    for key in _SHOWN:
        formatter.deferred_printers.pop(key, None)
    for cls in [t for t in formatter.type_printers if (t.__module__, t.__name__) in _SHOWN]:
        formatter.pop(cls)
