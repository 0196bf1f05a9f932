"""Which model answers."""

from __future__ import annotations

from fnmatch import fnmatch

from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError
from xcyq_magic.magics.base import ExtensionMagics


@magics_class
class ModelMagics(ExtensionMagics):
    """The model of the conversation, and the catalogue."""

    @line_magic
    @no_var_expand
    def chat_model(self, line: str) -> None:
        """Choose the model of the conversation, or show it.

        A name that is not in the catalogue is taken as well: the gateway may know it.

        Examples::

            %chat_model claude-opus-4-7

            %chat_model gpt-5.5-low

            %chat_model
        """
        from xcyq_magic.gateway import catalog

        session, name = self.session, line.strip()
        if len(name.split()) > 1:
            msg = f"A model's name is one word, not {name!r}."
            raise InputError(msg, "%chat_models lists the names.")
        if name:
            if notice := catalog.notice(name):
                self.say(notice)
            session.choose(model=name)
        current = session.model_of(session.conversation())
        model = catalog.MODELS.get(current)
        self.say(f"Model: {current}" + (f" ({model.family.name}, {model.pool} pool)" if model else ""))

    @line_magic
    @no_var_expand
    def chat_models(self, line: str) -> None:
        """Show the catalogue of models, or those whose names match.

        A pattern is a part of the name, or has wildcards.

        Examples::

            %chat_models

            %chat_models opus

            %chat_models claude-*-official
        """
        from xcyq_magic.display.tables import table_bundle
        from xcyq_magic.gateway import catalog

        pattern = line.strip()
        glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        found = [m for name, m in catalog.MODELS.items() if fnmatch(name, glob.lower())]
        if not found:
            near = catalog.suggest(pattern)
            msg = f"No model's name matches {pattern!r}."
            raise InputError(msg, f"Did you mean {near}?" if near else "%chat_models alone lists all of them.")
        rows = [
            [m.name, m.family.name, m.pool, "text, images, video" if m.family.video else "text, images"] for m in found
        ]
        self.show(
            table_bundle(["model", "family", "pool", "takes"], rows, f"{len(found)} of {len(catalog.MODELS)} models")
        )
