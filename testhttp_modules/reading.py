"""The streams of a component: each with its own source and memory; how they are polled is in `rounds`."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from msgspec import Struct

from httpkit.client import Client
from httpkit.documents import encode_json
from httpkit.errors import SettingsError
from httpkit.memory import Memory
from httpkit.source import Source
from testhttp_modules.account import absolute_url
from testhttp_modules.models import SourceConfiguration, TesthttpModuleConfiguration
from testhttp_modules.polling import Component
from testhttp_modules.translation import memory_folder, memory_of, source_settings, stream_names


class Reading(Struct, frozen=True, kw_only=True):
    """One stream at work.

    Attributes:
        name: empty when there is only one.
        begins_anew: has it no memory, although another configuration of this component has one?
    """

    name: str
    source: Source
    memory: Memory
    overlap_seconds: int
    begins_anew: bool = False

    @property
    def title(self) -> str:
        """What it is called in the log."""
        return f"Stream {self.name}" if self.name else "The source"


def readings_of(
    kind: str,
    account: TesthttpModuleConfiguration,
    configuration: SourceConfiguration,
    client: Client,
    data_path: Path,
    *,
    stop: Event,
) -> list[Reading]:
    """The streams of a configuration, ready to be polled.

    Raises:
        SettingsError: a setting is wrong, or another process reads the same source.
        UnavailableError: what is remembered cannot be read now.
        Stopped: `stop` was set.
    """
    url = absolute_url(account, configuration.url)
    if len({encode_json(sorted(stream.items())) for stream in configuration.streams}) < len(configuration.streams):
        raise SettingsError("streams", "name the same stream twice; remove one of them, or tell them apart by a value")
    streams = configuration.streams or [{}]
    folders = [memory_folder(kind, configuration, url, stream, data_path) for stream in streams]
    known, names = _memories(kind, data_path), stream_names(configuration.streams or [{}])
    return [
        Reading(
            name=name,
            source=Source(source_settings(account, configuration, stream), client),
            memory=memory_of(folder, url, clean=client.clean, stop=stop),
            overlap_seconds=configuration.overlap_seconds,
            begins_anew=bool(known) and folder.name not in known,
        )
        for stream, folder, name in zip(streams, folders, names, strict=True)
    ]


def announce(readings: Sequence[Reading], component: Component) -> None:
    """Say which streams begin anew because their configuration was changed: they are read from `start_from` on."""
    for reading in readings:
        if reading.begins_anew:
            component.log(
                f"{reading.title} was not read with this configuration before, so it begins anew at start_from; "
                "what another configuration has delivered may be delivered again",
                level="warning",
            )


def _memories(kind: str, data_path: Path) -> Sequence[str]:
    """The names of the memories that a component has."""
    if not data_path.is_dir():
        return ()
    return [path.name for path in data_path.iterdir() if path.name.startswith(f"{kind}-")]
