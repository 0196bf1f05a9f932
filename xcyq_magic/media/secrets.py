from dataclasses import dataclass


@dataclass(frozen=True)
class Masked:
    texts: list[str]
    count: int


def mask(texts):
    return Masked(list(texts), 0)


def is_private(source, *, markdown=False):
    return source.strip().startswith("# private")
