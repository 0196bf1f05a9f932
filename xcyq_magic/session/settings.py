"""The settings: traitlets for ``%config``, ``ipython_config.py`` and the environment.

A default that the environment gives is read when the setting is first used; what ``%config`` or
``ipython_config.py`` say wins over it.
"""

from __future__ import annotations

import math
import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Enum, Float, Int, TraitError, TraitType, Unicode, default, validate
from traitlets.config import Configurable

from xcyq_magic.chat.usage import Price
from xcyq_magic.errors import OptionError, SettingError, StoreError
from xcyq_magic.gateway.catalog import MAX_VIDEO_MB, VIDEO_FORMS, chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from traitlets.config import Config

DEFAULT_BASE_URL = "http://apillm.globalaiopc.com/gw_llm_power"
DEFAULT_MODEL = "claude-sonnet-4-6"
_SCHEME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#name-tokens


_OF_TRAITLETS = re.compile(r"the '(\w+)' trait", re.IGNORECASE)  # in its own refusals, which name no way on


class Settings(Configurable):
    """Settings that a refused value leaves as they were, and that say one that they take."""

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except TraitError as e:
            raise self._with_example(e) from None

    def update_config(self, config: Config) -> None:
        """Load `config`; where a value of it is refused, all settings stay."""
        # traitlets puts back the value from before: of a default that nobody has read yet, it knows the type's alone.
        for name in self.trait_names(config=True):
            getattr(self, name)
        try:
            self.check(config.get(type(self).__name__, {}))
            super().update_config(config)
        except TraitError as e:
            # %config gives the same object to the shell next, which would keep it for the next load of the extension.
            config.pop(type(self).__name__, None)
            raise self._with_example(e) from None

    def refusal(self, setting: TraitType[Any, Any], why: str) -> TraitError:
        """Return the error of a value of `setting`: why it is refused, and one that is taken."""
        taken = setting.metadata.get("example", setting.default_value)
        return TraitError(f"{why}\nFor example: {type(self).__name__}.{setting.name} = {taken!r}")

    def _with_example(self, error: TraitError) -> TraitError:
        found = _OF_TRAITLETS.search(str(error))
        return self.refusal(self.traits()[found[1]], str(error)) if found else error

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse what may be right at another time, and is wrong now that ``%config`` sets it.

        Raises
        ------
        TraitError
            One of the `given` values is.
        """


class GatewaySettings(Settings):
    """Where the gateway is, and how long to wait for it."""

    base_url = Unicode(
        help="The gateway's address: its host, a path with or without a version (/v1, /v1beta/openai), or the whole "
        "address of chat/completions. Empty for that of the environment variable XCYQ_BASE_URL, else the gateway's own."
    ).tag(config=True, example="https://gateway.example/path")
    auth_scheme = Unicode("Bearer", help="The word before the key in the Authorization header; empty for none.").tag(
        config=True
    )
    connect_timeout = Float(10.0, help="Seconds to wait for a connection.").tag(config=True)
    first_byte_timeout = Float(120.0, help="Seconds to wait for the first byte of a streamed answer.").tag(config=True)
    read_timeout = Float(
        180.0, help="Seconds of silence to allow within a streamed answer. Keep-alives end a silence."
    ).tag(config=True)
    answer_timeout = Float(600.0, help="Seconds to wait for a whole answer that is not streamed (--no-stream).").tag(
        config=True
    )

    fallback_after = Float(
        5.0,
        help="A chain of models (-m A,B) asks the next one if a limit asks to wait for more seconds than this.",
    ).tag(config=True)
    fallback_after_silence = Float(
        30.0,
        help="A chain of models asks the next one after this many seconds without a byte of a streamed answer. The "
        "stream is closed; the gateway may count what it had begun.",
    ).tag(config=True)
    fallback_rest = Float(60.0, help="Seconds during which chains pass over a model that failed.").tag(config=True)

    video_form = Enum(
        VIDEO_FORMS,
        "image_url",
        help="How a request holds a video. A gateway may drop a form that it does not know.",
    ).tag(config=True)
    max_video_mb = Float(
        MAX_VIDEO_MB, help="Most megabytes of videos in a request, as base64, which takes 4 bytes for 3."
    ).tag(config=True)
    prices = Dict(
        help="Your prices for a million tokens, in your currency, by model or pattern: of the prompt, of the reply, "
        "and perhaps of a prompt from the cache: {'gpt-5.5*': (IN, OUT, CACHED)}."
    ).tag(config=True, example={"gpt-5.5*": (1, 2)})  # no model's: numbers, so that it can be typed

    @default("base_url")
    def _base_url_from_environment(self) -> str:
        from xcyq_magic.gateway.route import without_secrets  # noqa: PLC0415  # %load_ext stays quick

        # A password or a key in it is refused when a request is made; until then it is in no listing of the settings.
        return without_secrets(os.environ.get("XCYQ_BASE_URL", "").strip(), "…@") or DEFAULT_BASE_URL

    @validate("base_url")
    def _address(self, proposal: dict[str, Any]) -> str:
        from xcyq_magic.gateway.route import endpoint  # noqa: PLC0415  # %load_ext stays quick

        address: str = proposal["value"].strip()
        if not address:
            return self._base_url_from_environment()
        try:
            endpoint(address)
        except SettingError as e:
            raise TraitError(str(e).replace("; nothing was sent", "")) from None
        return address

    @validate("auth_scheme")
    def _one_word(self, proposal: dict[str, Any]) -> str:
        scheme: str = proposal["value"].strip()
        if scheme and not _SCHEME.fullmatch(scheme):
            why = f"auth_scheme is one word that a header can carry, or empty, not {scheme!r}"
            raise self.refusal(proposal["trait"], why)
        return scheme

    @validate("max_video_mb")
    def _some(self, proposal: dict[str, Any]) -> float:
        size: float = proposal["value"]
        if not size > 0:
            raise self.refusal(proposal["trait"], f"max_video_mb is more than 0 MB, not {size:g}")
        return size

    @validate(
        "connect_timeout",
        "first_byte_timeout",
        "read_timeout",
        "answer_timeout",
        "fallback_after",
        "fallback_after_silence",
        "fallback_rest",
    )
    def _positive(self, proposal: dict[str, Any]) -> float:
        value: float = proposal["value"]
        if not value > 0:
            raise self.refusal(proposal["trait"], f"{proposal['trait'].name} is more than 0 seconds, not {value:g}")
        return value

    @validate("prices")
    def _pairs(self, proposal: dict[str, Any]) -> dict[str, Price]:
        prices = {}
        for name, pair in proposal["value"].items():
            try:
                price = Price(*map(float, pair))
            except (TypeError, ValueError):
                price = None
            if price is None or not all(0 <= each < math.inf for each in price if each is not None):
                why = (
                    f"the price of {name} is two numbers, yours for a million tokens in and out, or three, not {pair!r}"
                )
                raise self.refusal(proposal["trait"], why)
            prices[str(name)] = price
        return prices

    def price_of(self, model: str) -> Price | None:
        """The price of `model`: by its name, else by the longest pattern that matches it; None if it has none."""
        patterns = [p for p in self.prices if p == model or fnmatchcase(model, p)]
        nearest = max(patterns, key=lambda p: (p == model, len(p)), default=None)
        return None if nearest is None else self.prices[nearest]


class ChatSettings(Settings):
    """What a chat uses unless its cell says otherwise."""

    model = Unicode(help="The model where %chat_model chose none, or a chain: A,B. Environment: XCYQ_MODEL.").tag(
        config=True, example=DEFAULT_MODEL
    )
    system = Unicode("", help="The system prompt where %chat_system set none; empty for none.").tag(
        config=True, example="Answer in one sentence."
    )
    stream = Bool(default_value=True, help="Whether replies are streamed.").tag(config=True)
    value_chars = Int(4000, min=200, help="Most characters of a value that goes into a prompt as text.").tag(
        config=True
    )
    document_chars = Int(
        100_000, min=200, help="Characters of a file or a folder that goes into a prompt as text, at most."
    ).tag(config=True)
    keep_media = Int(
        None,
        allow_none=True,
        min=0,
        help="Send again the pictures and videos of only this many turns, the last ones, and a line of text for older "
        "ones; None for all.",
    ).tag(config=True, example=2)
    compare_limit = Int(12, min=2, help="Most columns of a comparison.").tag(config=True)
    concurrency = Int(8, min=1, help="Most requests on their way at once: columns of a comparison, and rows.").tag(
        config=True
    )
    each_limit = Int(100, min=1, help="Most requests that --each sends without --go.").tag(config=True)

    budget = Float(
        None,
        allow_none=True,
        help="The most that a day's requests may cost, in the currency of the prices. A request that would pass it is "
        "not sent. None for no limit.",
    ).tag(config=True, example=2.5)

    resume = Bool(default_value=True, help="Whether a restarted kernel goes on with its notebook's conversation.").tag(
        config=True
    )
    store = Unicode(
        "",
        help="The file that keeps conversations: a new one, or a store of xcyq_magic. Empty for xcyq_magic.sqlite in "
        "the profile, ':memory:' to keep nothing from now on.",
    ).tag(config=True, example=":memory:")
    above_chars = Int(
        24_000, min=1_000, help="Most characters of the cells that --above sends; the nearest are kept whole."
    ).tag(config=True)
    above_images = Int(
        4, min=0, help="Most pictures that --above sends: the last one of each of the nearest cells."
    ).tag(config=True)
    history_turns = Int(
        None,
        allow_none=True,
        min=0,
        help="Send only this many turns with each prompt, the last ones. None for all.",
    ).tag(config=True, example=10)
    cached = Bool(
        default_value=False,
        help="Whether a request that was answered before takes its reply from the store, as with --cached.",
    ).tag(config=True)

    @validate("budget")
    def _at_least_nothing(self, proposal: dict[str, Any]) -> float | None:
        budget: float | None = proposal["value"]
        if budget is not None and not budget >= 0:
            raise self.refusal(proposal["trait"], f"budget is 0 or more, or None, not {budget:g}")
        return budget

    @validate("model")
    def _one_name(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"].strip()
        try:
            names = chain_of(name)
        except OptionError as e:
            raise self.refusal(proposal["trait"], e.message.replace("; nothing was sent.", "")) from None
        if wrong := [each for each in names if len(each.split()) != 1]:
            why = f"a model's name is one word, not {wrong[0]!r}; %chat_models lists the names"
            raise self.refusal(proposal["trait"], why)
        return ",".join(names)

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse to keep conversations in what is another program's."""
        from xcyq_magic.store.database import open_database  # noqa: PLC0415  # %load_ext stays quick

        if isinstance(store := given.get("store"), str):
            try:
                open_database(store, None).check()
            except (SettingError, StoreError) as e:
                raise TraitError(str(e)) from None

    @default("model")
    def _model_from_environment(self) -> str:
        return os.environ.get("XCYQ_MODEL", "").strip() or DEFAULT_MODEL
