"""A keyring as an operating system has one, in a file that the tests can read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps what it is given in the file that `TEST_KEYRING` names; locked while that is a folder."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.path = Path(os.environ["TEST_KEYRING"])
        self.asked = 0

    @property
    def kept(self) -> dict[str, str]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        self.asked += 1
        self._check("")
        return self.kept.get(f"{service} {username}")

    def set_password(self, service, username, password):
        self._check(password)
        self.path.write_text(json.dumps(self.kept | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        self._check("")
        kept = self.kept
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        self.path.write_text(json.dumps(kept))

    def _check(self, password):
        if self.path.is_dir():
            msg = f"it is locked, and there was {password}"
            raise KeyringLocked(msg)
