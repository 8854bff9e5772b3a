"""The keys of delivered records in files of 16 bytes each, oldest first; which of the files count, the state says.

On a disk the newest file grows. An object store only takes whole objects, so there small files are merged: each file
that stays is at least twice as large as what follows, so that the number of files, and the number of times that a key
is written again, stay logarithmic.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain

from httpkit.folders import Folder
from httpkit.key_sets import KEY_BYTES
from httpkit.state_document import KeyFile, State

_CHUNK_KEYS = 4096


class DamagedError(Exception):
    """A key file is missing, or is not what the state says."""


class KeyFiles:
    """The key files in a folder.

    Args:
        owner: becomes a part of new names, so that two processes never write the same file.
    """

    def __init__(self, folder: Folder, *, owner: str) -> None:
        self._folder = folder
        self._owner = owner
        self._growing: KeyFile | None = None
        self._added: tuple[tuple[Sequence[KeyFile], bytes], tuple[KeyFile, ...]] | None = None
        self._running = _checksum()

    def name_of(self, number: int) -> str:
        """The name of the file that a change with this number may write."""
        return f"keys-{number:08d}-{self._owner}"

    def keys(self, state: State) -> Iterator[bytes]:
        """All keys of a state, checked on the way: only when no error came are they right.

        Raises:
            DamagedError: a file is missing or damaged.
        """
        return _single_keys(chain(self._contents(state.key_files), [state.tail]))

    def add(self, files: Sequence[KeyFile], content: bytes, number: int) -> tuple[KeyFile, ...]:
        """Put keys behind those of the files; the files of the state that is to be committed.

        The same once more, since the commit failed, is written already: a disk that is nearly full gets no copies.

        Args:
            number: never used before.

        Raises:
            DamagedError: a file that was to be merged is missing or damaged.
        """
        asked = (tuple(files), content)
        if not (self._added and self._added[0] == asked):
            self._added = asked, self._with(files, content, number)
        return self._added[1]

    def _with(self, files: Sequence[KeyFile], content: bytes, number: int) -> tuple[KeyFile, ...]:
        growing, self._growing = self._growing, None
        if self._folder.can_append and files and growing == files[-1]:
            grown = self._appended(growing, content)
            return (*files[:-1], grown)
        kept, size = list(files), len(content)
        merged: list[KeyFile] = []
        while kept and kept[-1].count * KEY_BYTES < 2 * size:
            merged.insert(0, kept.pop())
            size += merged[0].count * KEY_BYTES
        return (*kept, self._written(chain(self._contents(merged), [content]), number))

    def rewrite(self, state: State, keep: Callable[[bytes], bool], number: int) -> tuple[KeyFile, ...]:
        """Write those keys of a state again that are to be kept; the files of the state that is to be committed.

        Raises:
            DamagedError: a file is missing or damaged.
        """
        self._growing = None
        contents = chain(self._contents(state.key_files), [state.tail])
        kept = (b"".join([key for key in _single_keys([content]) if keep(key)]) for content in contents)
        return (self._written(kept, number),)

    def settle(self, files: Sequence[KeyFile]) -> None:
        """The state that names these files is committed, so the last of them may grow.

        Without that a file does not grow: a commit that failed may have reached the disk all the same, and what its
        state names must not change.
        """
        self._growing = files[-1] if files else None
        self._added = None

    def _appended(self, file: KeyFile, content: bytes) -> KeyFile:
        if self._running.hexdigest() != file.checksum:
            for _ in self._contents([file]):
                pass
        running = self._running.copy()
        running.update(content)
        self._folder.append(file.name, file.count * KEY_BYTES, content)
        self._running = running
        return KeyFile(name=file.name, count=file.count + len(content) // KEY_BYTES, checksum=running.hexdigest())

    def _written(self, contents: Iterable[bytes], number: int) -> KeyFile:
        name, running, size = self.name_of(number), _checksum(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for content in contents:
                running.update(content)
                size += len(content)
                yield content

        self._folder.write(name, counted())
        self._running = running
        return KeyFile(name=name, count=size // KEY_BYTES, checksum=running.hexdigest())

    def _contents(self, files: Iterable[KeyFile]) -> Iterator[bytes]:
        """The keys that count, in pieces of whole keys."""
        for file in files:
            running, left = _checksum(), file.count * KEY_BYTES
            try:
                for piece in self._folder.pieces(file.name, _CHUNK_KEYS * KEY_BYTES):
                    content = piece[:left]
                    running.update(content)
                    left -= len(content)
                    yield content
                    if not left:
                        break
            except FileNotFoundError as error:
                raise DamagedError(file.name) from error
            if running.hexdigest() != file.checksum:
                raise DamagedError(file.name)
            self._running = running


def _single_keys(contents: Iterable[bytes]) -> Iterator[bytes]:
    for content in contents:
        # Half a key is what a damaged file ends with; its checksum tells.
        for start in range(0, len(content) - KEY_BYTES + 1, KEY_BYTES):
            yield content[start : start + KEY_BYTES]


def _checksum() -> blake2b:
    return blake2b(digest_size=16)
