"""Whole files under one root: local disk or any object store, created once and never torn."""

import contextlib
import io
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import obstore
import pyarrow as pa
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, from_url

from ..model.errors import ConfigError, NotPermitted, SinkUnavailable

SCHEMES: Final = ("file", "abfs", "abfss", "adl", "az", "azure", "gs", "https", "s3", "s3a")
"""Schemes of the URLs a store can be opened by, beside plain local paths."""

_CLIENT_OPTIONS: Final = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "timeout", "user_agent"}
)
_RETRIES: Final = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
_SIGNATURE: Final = re.compile(r"([?&](?:sig|X-(?:Amz|Goog)-(?:Signature|Security-Token))=)[^&\s\"]+")
_STAGING: Final = "_staging"
_ORPHAN_AGE: Final = timedelta(days=1)
_RACES: Final = 16


class _Refused(SinkUnavailable):
    """The store refuses our credential; it may yet be granted."""


class Files:
    """Files in an object store.

    Args:
        store: Where they lie.
        name: What people know the place by; stands in errors.
        secrets: Texts that must not stand in errors.
    """

    def __init__(self, store: Any, name: str, secrets: Iterable[str] = ()) -> None:
        self._store = store
        self._name = name
        self._secrets = tuple(filter(None, secrets))

    def create(self, path: str, data: bytes) -> bool:
        """Put a file that is not there yet, whole or not at all.

        Args:
            path: Below the root, parts divided by ``/``.
            data: All of it.

        Returns:
            Whether it was put; ``False`` if there was one by that name.

        Raises:
            SinkUnavailable: The store did not take it.
        """
        with self._told(path):
            try:
                self._create(path, data)
            except AlreadyExistsError:
                return False
            return True

    def swap(self, path: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace a file, whole or not at all.

        Where the store can compare, what another wrote meanwhile is never written over:
        the change is made anew on it.  A local disk cannot; there the last one wins.

        Args:
            path: Below the root, parts divided by ``/``.
            change: Gets all of the file, ``None`` if there is none, and gives what to write
                instead; ``None`` leaves it.

        Raises:
            SinkUnavailable: The store did not take it.
        """
        with self._told(path):
            for _ in range(_RACES):
                held, tag = self._tagged(path)
                data = change(held)
                if data is None or self._swapped(path, data, tag):
                    return
        raise SinkUnavailable(f"{self._name}: {path}: others keep changing it")

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no fault."""
        with self._told(path), contextlib.suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self._store, path)

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or ``None`` if there is no such file."""
        with self._told(path):
            try:
                return bytes(obstore.get(self._store, path).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """Lend a seekable reader of a file, which fetches only what is read."""
        with self._told(path):
            yield pa.PythonFile(_Ranges(self._store, path), mode="r")

    def walk(self, folder: str, ending: str = "") -> Iterator[str]:
        """Yield the paths of the files anywhere below a folder, in the order of their names."""
        return iter(self.sizes(folder, ending))

    def sizes(self, folder: str, ending: str = "") -> dict[str, int]:
        """Return the paths of the files anywhere below a folder, in the order of names, with their bytes."""
        with self._told(folder):
            chunks = obstore.list(self._store, folder)
            found = [(entry["path"], int(entry["size"])) for chunk in chunks for entry in chunk]
        return dict(sorted(entry for entry in found if entry[0].endswith(ending)))

    def folders(self) -> list[str]:
        """Return the names of the folders right below the root, sorted."""
        with self._told(""):
            return sorted(obstore.list_with_delimiter(self._store)["common_prefixes"])

    def greet(self) -> None:
        """Make first contact.

        Raises:
            NotPermitted: The store refuses our credential.
            SinkUnavailable: The store is away.
        """
        try:
            with self._told(""):
                obstore.list_with_delimiter(self._store)
        except _Refused as error:
            raise NotPermitted(str(error)) from None

    def _create(self, path: str, data: bytes) -> None:
        obstore.put(self._store, path, data, mode="create", use_multipart=False)

    def _tagged(self, path: str) -> tuple[bytes | None, str | None]:
        try:
            found = obstore.get(self._store, path)
        except (NotFoundError, FileNotFoundError):
            return None, None
        return bytes(found.bytes()), found.meta["e_tag"]

    def _swapped(self, path: str, data: bytes, tag: str | None) -> bool:
        mode: Any = "create" if tag is None else {"e_tag": tag}
        try:
            obstore.put(self._store, path, data, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError, NotFoundError):
            return False
        return True

    @contextlib.contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn what a store raises into :class:`SinkUnavailable` with the place in it."""
        try:
            yield
        except (BaseError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            for secret in self._secrets:
                reason = reason.replace(secret, "***")
            reason = _SIGNATURE.sub(r"\1***", reason)
            refused = isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
            kind = _Refused if refused else SinkUnavailable
            # the store's own error may quote a signed URL, so it is not chained
            raise kind(f"{self._name}: {path or 'the root'}: {reason}") from None


class LocalFiles(Files):
    """Files on a local disk, each of them on the disk itself before it has its name.

    A file is written under a staging name, flushed to the disk and then linked
    to its own, so that neither a killed process nor a power cut leaves a torn
    file among the data.
    """

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(None, name)
        with self._told(""):
            root.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(root)
        self._root = root
        self._lasting: set[Path] = set()

    def greet(self) -> None:
        """Make first contact, and clear away what killed processes left a day or more ago."""
        super().greet()
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise NotPermitted(f"{self._name}: the folder cannot be written to")
        with self._told(_STAGING):
            entries = [entry for chunk in obstore.list(self._store, _STAGING) for entry in chunk]
            old = [e["path"] for e in entries if datetime.now(UTC) - e["last_modified"] > _ORPHAN_AGE]
            obstore.delete(self._store, old)

    def _create(self, path: str, data: bytes) -> None:
        self._put(path, data, overwrite=False)

    def _swapped(self, path: str, data: bytes, tag: str | None) -> bool:
        try:
            self._put(path, data, overwrite=tag is not None)
        except AlreadyExistsError:
            return False
        return True

    def _put(self, path: str, data: bytes, *, overwrite: bool) -> None:
        staged = f"{_STAGING}/{uuid.uuid4().hex}"
        try:
            obstore.put(self._store, staged, data, use_multipart=False)
            _flush(self._root / staged)
            obstore.rename(self._store, staged, path, overwrite=overwrite)
        except BaseException:
            with contextlib.suppress(BaseError, OSError):
                obstore.delete(self._store, staged)
            raise
        finally:
            self._flush_folders((self._root / path).parent)

    def _flush_folders(self, folder: Path) -> None:
        """Make the names in a folder lasting; those above it change only when it is new."""
        if folder.is_dir():
            _flush(folder)
        while folder != self._root and folder.parent not in self._lasting and folder.parent.is_dir():
            folder = folder.parent
            _flush(folder)
            self._lasting.add(folder)


class _Ranges(io.RawIOBase):
    """A file whose reads are range requests."""

    def __init__(self, store: Any, path: str) -> None:
        super().__init__()
        self._store = store
        self._path = path
        self._at = 0
        self._size = int(obstore.head(store, path)["size"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, target: Any) -> int:
        end = min(self._at + len(target), self._size)
        if end <= self._at:
            return 0
        data = obstore.get_range(self._store, self._path, start=self._at, end=end)
        target[: end - self._at] = memoryview(data)
        self._at, count = end, end - self._at
        return count


def open_files(url: str, options: Mapping[str, str], name: str) -> Files:
    """Return the files at a URL or local path.

    Args:
        url: A local path, or a URL of one of :data:`SCHEMES`.
        options: Settings of the store, by the names obstore gives them.
        name: What people know the place by.

    Raises:
        ConfigError: No store can be made of these.
        SinkUnavailable: The root folder cannot be made.
    """
    parts = urlsplit(url)
    if parts.scheme in {"", "file"}:
        path = unquote(parts.path) if parts.scheme else url
        return LocalFiles(Path(path).expanduser().absolute(), name)
    client = {key: value for key, value in options.items() if key in _CLIENT_OPTIONS}
    config = {key: value for key, value in options.items() if key not in client}
    try:
        store = from_url(url, config=config, client_options=client, retry_config=_RETRIES)  # type: ignore[call-overload]
    except (BaseError, ValueError, TypeError):
        # what the store objects to may quote an option, and an option may be a key
        given = f" and the options {', '.join(sorted(options))}" if options else ""
        raise ConfigError(f"{name}: no store can be opened with this URL{given}") from None
    return Files(store, name, options.values())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
