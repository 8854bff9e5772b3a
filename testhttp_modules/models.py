"""What users configure: the account, and the fields that say what is read and how."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from sekoia_automation.connector import DefaultConnectorConfiguration

from testhttp_modules.manifests import ManifestModel, secret

DEFAULT_URL = "https://jsonplaceholder.typicode.com/posts"

Url = Annotated[str, Field(min_length=1, max_length=2083, json_schema_extra={"format": "uri"})]


class TesthttpModuleConfiguration(ManifestModel):
    """The account: what all components of a connected API share."""

    api_key: str = Field(..., description="API Key", json_schema_extra=secret)


class SourceConfiguration(ManifestModel):
    """What the connector and the trigger read, in the order of the form."""

    url: Url = Field(..., description="URL that is read")
    authenticate: bool = Field(True, description="Send the credentials of the account")
    polling_interval: float = Field(5, gt=0, description="Polling interval in minutes")
    method: Literal["get", "post"] = Field("get", description="HTTP method of the requests")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers sent with each request")
    params: dict[str, Any] = Field(
        default_factory=dict, description="Query parameters of the first request; a list repeats the parameter"
    )
    body: dict[str, Any] | list[Any] | None = Field(None, description="JSON body of the requests")
    records_path: str = Field(
        "",
        description="JMESPath of the records in an answer, for example data.items; empty when the answer is the list",
    )
    id_path: str = Field(
        "id", description="JMESPath of a record's identity; a record without one is identified by its whole content"
    )
    pagination: Literal["none", "link_header", "next_url", "cursor", "page", "offset"] = Field(
        "none",
        description=(
            "How the next page is asked for: the Link header, a URL in the answer, a token in the answer, "
            "a page number or an offset"
        ),
    )
    next_path: str = Field(
        "", description="JMESPath of the next URL (pagination next_url) or of the token (pagination cursor)"
    )
    next_parameter: str = Field(
        "cursor", description="Where the token goes: a query parameter, body:a.b in the body, or header:NAME"
    )
    has_more_path: str = Field("", description="JMESPath that is false, 0 or empty on the last page")
    total_path: str = Field("", description="JMESPath of the total number of records; reading ends when so many came")
    page_size: int = Field(0, description="Records asked for per page; 0 leaves it to the server")
    page_size_parameter: str = Field("", description="Parameter that carries page_size")
    stop_on_short_page: bool = Field(
        True, description="With pagination page or offset: is a page of fewer than page_size records the last one?"
    )
    page_parameter: str = Field("page", description="Parameter of the page number; body:a.b is allowed")
    first_page: int = Field(1, description="Number of the first page")
    offset_parameter: str = Field("offset", description="Parameter of the offset; body:a.b is allowed")
    first_offset: int = Field(0, description="Offset of the first record")
    offset_step: Literal["received", "page_size"] = Field(
        "received", description="What the offset grows by: the number of records that came, or page_size"
    )


class TesthttpConnectorConfiguration(SourceConfiguration, DefaultConnectorConfiguration):
    """The fields of the connector."""

    intake_server: str | None = Field(None, description="Base URL of the intake, when it is not that of the platform")
    intake_key: str = Field(..., min_length=1, description="Key of the intake that receives the events")
    url: Url = Field(DEFAULT_URL, description="URL that is polled")
    source: str = Field(
        "testhttp", description="Value of the field source that is added to each record; empty adds nothing"
    )
    batch_size: int = Field(1000, ge=1, description="Most events sent to the intake in one request")
    compress: bool = Field(True, description="Compress what is sent to the intake")


class TriggerConfiguration(SourceConfiguration):
    """The fields of the trigger."""

    url: Url = Field(..., description="URL whose new entries start playbook runs")
    authenticate: bool = Field(False, description="Send the credentials of the account")
    polling_interval: float = Field(60, gt=0, description="Polling interval in minutes")


class Entry(ManifestModel):
    """An entry as playbooks receive it."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(..., description="Identity of the entry")
    value: str = Field(..., description="Content of the entry")
    timestamp: int = Field(..., description="Moment of the entry, in seconds since 1970")


class NewEntries(ManifestModel):
    """What a playbook run of the trigger starts with."""

    entries: list[Entry] = Field(..., description="Entries that no earlier run received, in the order of the source")
