"""What the README says, where it can be held against the code."""

from __future__ import annotations

import re
from pathlib import Path

from xcyq_magic import errors
from xcyq_magic.magics.extension import MAGICS
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_table_of_errors_names_each():
    table = set(re.findall(r"^\| `(\w+Error)` \|", README, re.MULTILINE))
    groups = {"XcyqError", "InputError", "GatewayError", "StatusError"}  # in the text above it
    assert table == set(errors.__all__) - groups
    assert all(f"`{name}`" in README for name in groups)


def test_each_magic_and_each_setting_is_in_a_table():
    rows = "\n".join(line for line in README.splitlines() if line.startswith("|"))
    magics = {name for one in MAGICS for names in one.magics.values() for name in names}
    assert [m for m in sorted(magics) if not re.search(rf"%{m}\b", rows)] == []
    settings = [f"{s.__name__}.{t}" for s in (ChatSettings, GatewaySettings) for t in s.class_own_traits(config=True)]
    assert [s for s in settings if f"`{s}`" not in rows] == []
