"""What the README's pictures say is true of the data that they show."""

from __future__ import annotations

import re

import numpy as np
from script import ANSWERS, ASKED, DATA, REPLY, line_for

from xcyq_magic.chat.completion import code_blocks


def test_the_numbers_of_the_reply_are_those_of_its_data(capsys):
    names: dict = {}
    exec(DATA, names)  # noqa: S102  # the script's own
    df = names["df"]
    odd, rest = df.iloc[-1], df.iloc[:-1]
    leverage = 1 / len(df) + (df.weight - df.weight.mean()) ** 2 / ((len(df) - 1) * df.weight.var())
    slope, start = np.polyfit(rest.weight, rest.height, 1)
    distances = (df.height - start - slope * df.weight).abs()
    assert (odd.weight, odd.height, len(df)) == (45, 30, 121)
    assert rf"\bar x = {df.weight.mean():.2f}$ and $s = {df.weight.std():.2f}$" in REPLY
    assert f"| leverage | {leverage.iloc[-1]:.2f} | {leverage[:-1].mean():.3f} on average |" in REPLY
    assert 6 < leverage.iloc[-1] / leverage.mean() < 7
    assert f"at most {rest.weight.max():.0f} g" in REPLY
    assert round(start + slope * 45, -1) == 110
    assert round(distances.iloc[-1], -1) == 80
    assert (distances[:-1] < 12).mean() > 0.9
    exec(next(code_blocks(REPLY)).code, names)  # noqa: S102  # the script's own
    assert re.fullmatch(r"121 plants: 2\.11 mm per g\n120 plants: 2\.50 mm per g\n", capsys.readouterr().out)


def test_the_judge_prefers_the_reply_with_the_costs_in_any_order():
    texts = [line.text for line in ANSWERS.values()]
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        replies = "\n".join(f"==x Reply {n}\n{texts[k]}" for n, k in enumerate(order, 1))
        prompt = f"==x the prompt\n{ASKED}\n{replies}\n==x end"
        said = line_for({"model": "m", "messages": [{"role": "user", "content": prompt}]}).text
        assert said.endswith(f"BEST: {order.index(1) + 1}")
