"""The images that the user saw: what cells displayed or returned, from any library, as it was sent to the page.

Nothing is rendered again. The formats are those that a frontend shows as a picture; an output that is a
script's business (an interactive plot, a widget) has a picture only if its library sent one along.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

MOST_IMAGES = 30
MOST_BYTES = 64_000_000
_FORMATS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml")  # as frontends prefer them


@dataclass(frozen=True)
class SeenImage:
    """One image as it went to the page: text for SVG, and for the base64 that a message holds."""

    mime: str
    data: bytes | str

    @property
    def content(self) -> bytes:
        """The bytes of its file; none if its base64 is broken."""
        if isinstance(self.data, bytes):
            return self.data
        if self.mime == "image/svg+xml":
            return self.data.encode()
        try:
            return base64.b64decode(self.data)
        except (binascii.Error, ValueError):
            return b""


class SeenImages:
    """Remembers the last images of a shell, within a bound."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._images: OrderedDict[object, SeenImage] = OrderedDict()
        self._bytes = 0

    def last(self, count: int) -> list[SeenImage]:
        """The last `count` images, the oldest first; fewer if there are fewer."""
        return list(self._images.values())[-count:]

    def remember(self, bundle: Mapping[str, Any], display_id: object = None) -> None:
        """Take in an output that was shown. With the id of an earlier one it takes its place."""
        mime = next((m for m in _FORMATS if isinstance(bundle.get(m), bytes | str)), None)
        key = object() if display_id is None else display_id
        self._forget(key)
        if mime is None or len(bundle[mime]) > MOST_BYTES:
            return
        self._images[key] = SeenImage(mime, bundle[mime])
        self._bytes += len(bundle[mime])
        while len(self._images) > MOST_IMAGES or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._images)))

    def _forget(self, key: object) -> None:
        forgotten = self._images.pop(key, None)
        self._bytes -= len(forgotten.data) if forgotten else 0

    # Where a shell sends outputs. A terminal has no place for images, and no hooks.

    def register(self) -> None:
        """Hear of each output from now on."""
        publisher, results = self._shell.display_pub, self._shell.displayhook
        if hasattr(publisher, "register_hook"):
            publisher.register_hook(self._displayed)
            # A cell's result takes another way, for which ipykernel before 7.4 has no hook.
            self._write_result = results.write_format_data
            results.write_format_data = self._result  # type: ignore[method-assign]  # of this one object

    def unregister(self) -> None:
        """Hear of no further output."""
        publisher, results = self._shell.display_pub, self._shell.displayhook
        if hasattr(publisher, "unregister_hook"):
            publisher.unregister_hook(self._displayed)
        if vars(results).get("write_format_data") == self._result:
            del results.write_format_data

    def _displayed(self, message: dict[str, Any]) -> dict[str, Any]:
        """A hook of ipykernel's display publisher: hears a message before it is sent, and passes it on."""
        content = message.get("content", {})
        if message.get("header", {}).get("msg_type") in {"display_data", "update_display_data"}:
            self.remember(content.get("data", {}), content.get("transient", {}).get("display_id"))
        return message

    def _result(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self.remember(format_dict)
        self._write_result(format_dict, md_dict)
