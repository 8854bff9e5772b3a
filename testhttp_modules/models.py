"""What users configure: the account, and the fields that say what is read and how."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from sekoia_automation.connector import DefaultConnectorConfiguration

from testhttp_modules.manifests import ManifestModel, no_entries, no_items, secret

DEFAULT_URL = "https://jsonplaceholder.typicode.com/posts"

Url = Annotated[str, Field(min_length=1, max_length=2083, json_schema_extra={"format": "uri"})]
"""Absolute, or relative to the account's base_url."""


class TesthttpModuleConfiguration(ManifestModel):
    """The account: what all components of a connected API share."""

    api_key: str = Field(..., description="API Key", json_schema_extra=secret)
    base_url: str = Field(
        "",
        description=(
            "Origin that the credentials belong to, and base of relative URLs; "
            "empty: the credentials belong to the origin of the URL that is read"
        ),
        json_schema_extra={"format": "uri"},
    )
    auth: Literal["bearer", "header", "query", "basic", "digest", "oauth2", "login", "none"] = Field(
        "bearer",
        description=(
            "How the API key is presented: as a bearer token, in a header, as a query parameter, as the password of "
            "basic or digest, as the secret of OAuth 2.0, by a login request, or not at all"
        ),
    )
    auth_name: str = Field(
        "", description="Header (default Authorization) or query parameter (default api_key) that carries the key"
    )
    auth_prefix: str = Field("", description="Text before the key in the header, for example 'SSWS ' or 'Token '")
    username: str = Field("", description="User of basic, digest and login, client id of OAuth 2.0")
    headers: dict[str, str] = Field(
        default_factory=no_entries,
        description="Headers sent with every authenticated request, for example a second key",
    )
    token_url: str = Field(
        "", description="Token endpoint of OAuth 2.0, or login URL", json_schema_extra={"format": "uri"}
    )
    oauth2_grant: Literal["client_credentials", "refresh_token", "password"] = Field(
        "client_credentials",
        description="OAuth 2.0 grant; with refresh_token the API key is that token, with password it is the password",
    )
    oauth2_client: Literal["form", "basic"] = Field(
        "form", description="Where OAuth 2.0 client id and secret go: in the form, or in a basic header"
    )
    token_params: dict[str, Any] = Field(
        default_factory=no_entries,
        description="Further token parameters, for example scope, audience or client_secret",
    )
    token_params_in: Literal["form", "query"] = Field(
        "form", description="Where all token parameters go: in the form, or in the query string"
    )
    login_method: Literal["post"] = Field("post", description="HTTP method of the login request")
    login_headers: dict[str, str] = Field(default_factory=no_entries, description="Headers of the login request")
    login_body: dict[str, Any] = Field(
        default_factory=no_entries,
        description="Body of the login request, for example user: {username}, password: {api_key}",
    )
    login_format: Literal["json", "form"] = Field("json", description="Is the login body sent as JSON or as a form?")
    login_capture: dict[str, str] = Field(
        default_factory=lambda: {"token": "token"},
        description="Values of the login answer by name, each with its JMESPath or header:NAME",
    )
    login_inject: dict[str, str] = Field(
        default_factory=lambda: {"Authorization": "Bearer {login.token}"},
        description="Headers of the following requests, with {login.NAME} for the captured values",
    )
    token_path: str = Field("access_token", description="JMESPath of the token in the answer of the token endpoint")
    token_expires_path: str = Field(
        "expires_in", description="JMESPath of the token's lifetime: seconds or a date; renewed before the end"
    )
    verify_tls: bool = Field(True, description="Check the certificates of servers")
    ca_certificate: str = Field("", description="PEM text of a private authority that is trusted too")
    client_certificate: str = Field("", description="PEM text of a client certificate, for mutual TLS")
    client_key: str = Field("", description="PEM text of the client certificate's key", json_schema_extra=secret)
    proxy: str = Field("", description="URL of an HTTP proxy", json_schema_extra={"format": "uri"})
    allow_private_networks: bool = Field(
        False,
        description="May loopback, private and link-local addresses be reached? Cloud metadata addresses never are",
    )
    allowed_hosts: list[str] = Field(
        default_factory=no_items, description="Host patterns such as *.example.com; when set, nothing else is reached"
    )
    timeout_seconds: float = Field(
        60, gt=0, description="Longest silence of a server in seconds; a whole exchange may take five times as long"
    )
    max_response_megabytes: float = Field(64, gt=0, description="Largest answer in megabytes, after decompression")
    requests_per_minute: float = Field(0, ge=0, description="Most requests per minute; 0 is no limit")


class SourceConfiguration(ManifestModel):
    """What the connector and the trigger read, in the order of the form."""

    url: Url = Field(..., description="URL that is read; may be relative to the base URL of the account")
    authenticate: bool = Field(True, description="Send the credentials of the account")
    polling_interval: float = Field(5, gt=0, description="Polling interval in minutes")
    method: Literal["get", "post"] = Field("get", description="HTTP method of the requests")
    headers: dict[str, str] = Field(default_factory=no_entries, description="Headers sent with each request")
    params: dict[str, Any] = Field(
        default_factory=no_entries,
        description="Query parameters; a list repeats the parameter, and {since} and others work",
    )
    body: dict[str, Any] | list[Any] | str | None = Field(None, description="Body of the requests, as JSON")
    body_format: Literal["json", "form"] = Field("json", description="Is the body sent as JSON or as a form?")
    next_params: dict[str, Any] | None = Field(
        None, description="Query parameters of follow-up pages, instead of params, window bounds and page size"
    )
    next_body: dict[str, Any] | list[Any] | str | None = Field(
        None, description="Body of follow-up pages, instead of body, window bounds and page size"
    )
    prepare_url: str = Field(
        "", description="URL of one request before each window, whose answer gives values to the others"
    )
    prepare_method: Literal["get", "post"] = Field("post", description="HTTP method of that request")
    prepare_body: dict[str, Any] | list[Any] | str | None = Field(None, description="Body of that request, as JSON")
    prepare_capture: dict[str, str] = Field(
        default_factory=no_entries,
        description="Values of its answer by name, each with its JMESPath, for {prepare.NAME}",
    )
    streams: list[dict[str, Any]] = Field(
        default_factory=no_items,
        description="The source is read once per entry, with {stream.NAME} for its values, each with its own state",
    )
    response_format: Literal["auto", "json", "ndjson", "csv", "xml", "text"] = Field(
        "auto", description="Format of the answers; text gives one record per line"
    )
    records_path: str | list[str] = Field(
        "",
        description="JMESPath of the records in an answer, for example data.items; empty when the answer is the list",
    )
    required_path: str = Field(
        "", description="JMESPath of what must be in each answer; by default records_path, when it is a plain name"
    )
    id_path: str = Field(
        "id", description="JMESPath of a record's identity; a record without one is identified by its whole content"
    )
    deduplicate: bool = Field(
        True, description="Deliver each identity once; switch it off for APIs whose identities repeat on purpose"
    )
    timestamp_path: str = Field("", description="JMESPath of the time of a record")
    timestamp_format: str = Field(
        "auto", description="Form of that time: auto, iso8601, epoch, epoch_ms, or a strptime pattern"
    )
    only_in_window: bool = Field(
        False, description="Skip records outside of the window, for APIs that ignore or lack its bounds"
    )
    drop: list[str] = Field(
        default_factory=no_items, description="JMESPath expressions; a record for which one is true is skipped"
    )
    explode: str | list[str] = Field(
        "", description="Names of arrays: one event per element, or per combination of elements"
    )
    rename: dict[str, str] = Field(default_factory=no_entries, description="New names of fields, by their old ones")
    drop_nulls: bool = Field(False, description="Leave out fields that are null")
    dates: dict[str, str] = Field(
        default_factory=no_entries,
        description="Fields with dates and their strptime patterns; rewritten as ISO 8601 in UTC",
    )
    transform: str = Field("", description="JMESPath that makes the event; a list gives several events")
    tags: dict[str, Any] | list[dict[str, Any]] = Field(
        default_factory=no_entries,
        description="Fields added to each record; with several record paths one object per path",
    )
    detail_url: str = Field(
        "", description="URL of one further request per new record, with {id} and {record.NAME} for its fields"
    )
    detail_params: dict[str, Any] = Field(default_factory=no_entries, description="Query parameters of that request")
    detail_mode: Literal["merge", "replace", "records"] = Field(
        "merge", description="Is the detail merged into the record, put in its place, or a list of events?"
    )
    pagination: Literal["none", "link_header", "next_url", "cursor", "page", "offset"] = Field(
        "none",
        description=(
            "How the next page is asked for: the Link header, a URL in the answer, a token in the answer, "
            "a page number or an offset"
        ),
    )
    next_path: str = Field(
        "",
        description=(
            "JMESPath of the next URL (pagination next_url) or of the token (pagination cursor); "
            "header:NAME and last:PATH work too"
        ),
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
    max_pages: int = Field(1000, ge=1, description="Most pages per poll and stream; the next poll goes on from there")
    since_parameter: str = Field("", description="Query parameter of the start of the window; body:a.b is allowed")
    until_parameter: str = Field("", description="Query parameter of the end of the window; body:a.b is allowed")
    since_format: str = Field(
        "iso8601",
        description=(
            "Form of both bounds: iso8601, iso8601_ms, iso8601_us, iso8601_offset, epoch, epoch_ms, "
            "or an strftime pattern"
        ),
    )
    start_from: str = Field("1 day", description="Where the first window starts: a date, or an age such as 7 days")
    window_minutes: int = Field(0, ge=0, description="Largest span asked for at once; 0 is no bound")
    overlap_seconds: int = Field(300, ge=0, description="Part of the last window that is read again, for late records")
    settle_seconds: int = Field(0, ge=0, description="Newest part that is left for the next poll")
    resume: Literal["time", "token"] = Field(
        "time", description="Does a poll go on from the time of the last one, or from the last token of the API?"
    )
    resume_path: str = Field("", description="JMESPath of the token that is kept; by default next_path")


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
    first_poll: Literal["all", "none"] = Field(
        "all",
        description="Do the entries that are there at first start playbook runs, or are they only remembered?",
    )
    max_entries_per_run: int = Field(
        100, ge=1, description="Most entries that one playbook run starts with; more become several runs"
    )
    max_runs_per_poll: int = Field(
        10,
        ge=1,
        description="Most playbook runs started per poll; what is left waits for the next polls, oldest first",
    )
    value_path: str = Field(
        "",
        description=(
            "JMESPath of an entry's content, for records that are not entries already; identity and time are then "
            "those of id_path and timestamp_path"
        ),
    )
    expected_update_hours: float = Field(
        0, ge=0, description="Hours after which a source without a new entry is worth a warning; 0 never warns"
    )


class Entry(ManifestModel):
    """An entry as playbooks receive it."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(..., description="Identity of the entry")
    value: str = Field(..., description="Content of the entry")
    timestamp: int = Field(..., description="Moment of the entry, in seconds since 1970")
    data: dict[str, Any] | None = Field(None, description="The record of the source, where it holds more than that")

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _present(serialize(self))


class NewEntries(ManifestModel):
    """What a playbook run of the trigger starts with."""

    entries: list[Entry] = Field(..., description="Entries that no earlier run received, in the order of the source")
    file_path: str | None = Field(
        None, description="File with the entries and their data, in the storage of the run, when they are too large"
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _present(serialize(self))


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an object without those that it has nothing for."""
    return {name: value for name, value in fields.items() if value is not None}


class RequestArguments(ManifestModel):
    """What a playbook asks for."""

    model_config = ConfigDict(populate_by_name=True)

    url: Url = Field(..., description="URL of the resource; may be relative to the base URL of the account")
    headers: dict[str, str] | None = Field(None, description="Headers of the request")
    method: Literal["get", "post", "put", "patch", "delete", "head", "options"] = Field(
        ..., description="HTTP method of the request"
    )
    params: dict[str, Any] | str | None = Field(
        None, description="Query parameters, as an object or as text such as a=1&b=2; a list repeats the parameter"
    )
    # The name `json` is taken by a method of pydantic's models.
    json_body: Any = Field(None, alias="json", description="JSON body")
    data: str | None = Field(None, description="Body as text, sent as it is")
    form: dict[str, Any] | None = Field(None, description="Fields of a form, sent URL-encoded")
    authenticate: bool = Field(
        False, description="Send the credentials of the account, if the URL belongs to their origin"
    )
    auth_type: Literal["None", "Basic", "Digest", "Bearer"] = Field(
        "None", description="Credentials of this request alone, instead of those of the account"
    )
    auth_username: str = Field("", description="User of Basic and Digest")
    auth_password: str = Field("", description="Password of Basic and Digest", json_schema_extra=secret)
    auth_token: str = Field("", description="Token of Bearer", json_schema_extra=secret)
    fail_on_http_error: bool = Field(True, description="Does a status of 400 or more mark the action as failed?")
    verify_ssl: bool = Field(True, description="Check the certificate of the server")
    follow_redirects: bool = Field(True, description="Follow redirects; credentials never leave their origin")
    timeout_seconds: float = Field(
        60,
        gt=0,
        description="Longest silence of the server in seconds; a whole exchange may take five times that",
    )
    retries: int = Field(
        3,
        ge=0,
        le=10,
        description="Further tries after a connection error, 408, 429 or 5xx; methods that only read",
    )
    retry_unsafe: bool = Field(False, description="Repeat also methods that may change something")
    extract: str = Field("", description="JMESPath on the JSON answer; what it finds becomes the result extracted")
    output: Literal["auto", "text", "json", "file"] = Field(
        "auto",
        description="Where the body goes; auto puts text up to 1 MiB into the results, all else into a file",
    )


class Response(ManifestModel):
    """What the playbook gets."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    status_code: int = Field(..., description="HTTP status code of the answer")
    headers: dict[str, Any] = Field(..., description="Headers of the answer")
    text: str = Field(..., description="Body of the answer as text; empty when it is in a file")
    url: str | None = Field(None, description="URL that answered, after redirects")
    reason: str | None = Field(None, description="Text that came with the status code")
    encoding: str | None = Field(None, description="Charset that the text was decoded from")
    elapsed: float | None = Field(None, description="Seconds from sending the request to the end of the answer")
    json_body: Any = Field(None, alias="json", description="The body as JSON, when it is JSON and not in a file")
    extracted: Any = Field(None, description="What extract found")
    file_path: str | None = Field(None, description="File that holds the body, relative to the storage of the run")
