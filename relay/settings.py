"""What a user may set for the relay, read once from `RELAY_*` environment variables; no option is read elsewhere."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from relay.hosts import LOOPBACK_HOSTS


class RelaySettings(BaseSettings):
    """The relay's settings; every one has a default that suits a laptop."""

    model_config = SettingsConfigDict(env_prefix="RELAY_", hide_input_in_errors=True, frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on; loopback unless changed.")
    port: int = Field(default=8700, ge=0, le=65535, description="Port to listen on; the next free one if taken.")
    database_url: str = Field(default="sqlite:///relay.sqlite3", description="SQLAlchemy URL of the database.")
    token: SecretStr | None = Field(
        default=None, min_length=1, description="Bearer token of the components; random when absent."
    )
    intake_key: SecretStr | None = Field(
        default=None, min_length=1, description="Key of the intake; random when absent."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=LOOPBACK_HOSTS,
        description="Names that the relay answers to, separated by commas; `*` for any.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def split_by_commas(cls, value: object) -> object:
        """Accept `a,b` besides a list of names."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value
