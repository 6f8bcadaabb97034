"""Who the embedded services run as. PostgreSQL refuses root, and neither service needs it."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recsys.services.errors import ServiceError

CANDIDATES = ("tributary", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The account of the service processes; `uid` is None where it is the caller's own."""

    uid: int | None = None
    gid: int | None = None

    def can_run(self, program: Path, directory: Path) -> bool:
        """Whether this account may execute `program` and enter `directory` (one further up may be closed to it)."""
        try:
            subprocess.run(
                [program, "--version"],
                user=self.uid,
                group=self.gid,
                extra_groups=[] if self.uid is not None else None,
                # Not `cwd`, which is entered before the account changes.
                preexec_fn=partial(os.chdir, directory),
                stdout=subprocess.DEVNULL,
                check=True,
            )
        except (PermissionError, subprocess.SubprocessError):
            return False
        return True

    def own(self, path: Path) -> None:
        """Give `path` to this account, for it alone."""
        path.chmod(0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    @property
    def owners(self) -> set[int]:
        """The uids that may own a directory which this account and its caller share."""
        return {os.geteuid()} if self.uid is None else {os.geteuid(), self.uid}


def service_account() -> Account:
    """The caller's own account, or as root the first of an unprivileged few (`TRIBUTARY_SERVICE_USER` names one)."""
    if os.geteuid() != 0:
        return Account()
    named = os.environ.get("TRIBUTARY_SERVICE_USER")
    for name in (named,) if named else CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServiceError(
        f"PostgreSQL does not run as root, and there is no other user {named or ' or '.join(CANDIDATES)}. "
        "Create one (useradd --system tributary), or run this as an ordinary user."
    )
