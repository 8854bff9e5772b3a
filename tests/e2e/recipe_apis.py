"""Small copies of the APIs that the recipes read; each refuses what its model would not understand.

Every record carries `number`, so that a test can tell the records apart without the fields that the recipe uses.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.e2e.recipe_tenants import (
    FRACTIONS,
    SECONDS,
    RecipeApi,
    Serve,
    Tenant,
    arguments,
    basic,
    epoch,
    equal,
    here,
    known,
    linked,
    moment,
    page_at,
    signed_in,
    token_granted,
    written,
)
from tests.fake_api import Answer, Asked


def github(asked: Asked, tenant: Tenant) -> Answer:
    """GitHub: a search phrase, dates in milliseconds."""
    signed_in(asked, "authorization", f"Bearer {tenant.key}")
    equal(asked.headers.get("x-github-api-version"), "2022-11-28")
    query = arguments(asked, "/orgs/YOUR_ORG/audit-log", need="phrase include order per_page", may="after")
    equal((query["include"], query["order"], query["per_page"]), ("all", "asc", "100"))
    since = moment(query["phrase"], f"created:>={SECONDS}")
    part, following = page_at(tenant.between(since, datetime.max.replace(tzinfo=UTC)), query.get("after"))
    records = [
        {"_document_id": f"d{one.number}", "@timestamp": int(one.at.timestamp() * 1000), "number": one.number}
        for one in part
    ]
    return linked(asked, records, "after", following)


def okta(asked: Asked, tenant: Tenant) -> Answer:
    """Okta: with an end bound the last page has no next link."""
    signed_in(asked, "authorization", f"SSWS {tenant.key}")
    query = arguments(asked, "/api/v1/logs", need="since until limit sortOrder", may="after")
    equal((query["limit"], query["sortOrder"]), ("1000", "ASCENDING"))
    found = tenant.between(moment(query["since"], FRACTIONS), moment(query["until"], FRACTIONS))
    part, following = page_at(found, query.get("after"))
    records = [{"uuid": f"u{one.number}", "published": written(one.at), "number": one.number} for one in part]
    return linked(asked, records, "after", following)


def graph(path: str, time_field: str, fixed: Mapping[str, str]) -> Serve:
    """Microsoft Graph: a client's token, a filter, and the next page as a URL with everything in it."""

    def serve(asked: Asked, tenant: Tenant) -> Answer:
        client = {"grant_type": "client_credentials", "client_id": "YOUR_CLIENT_ID", "client_secret": tenant.key}
        scope = {"scope": "https://graph.microsoft.com/.default"}
        if granted := token_granted(asked, "/YOUR_TENANT_ID/oauth2/v2.0/token", client | scope):
            return granted
        query = arguments(asked, path, need=f"$filter {' '.join(fixed)}", may="$skiptoken")
        equal({name: query[name] for name in fixed}, fixed)
        since, _, until = query["$filter"].partition(" and ")
        found = tenant.between(
            moment(since, f"{time_field} ge {SECONDS}"), moment(until, f"{time_field} le {SECONDS}")
        )
        part, following = page_at(found, query.get("$skiptoken"))
        records = [{"id": f"i{one.number}", time_field: written(one.at), "number": one.number} for one in part]
        body = {"@odata.context": path, "value": records}
        return Answer(json=body | ({"@odata.nextLink": here(asked, **{"$skiptoken": following})} if following else {}))

    return serve


def google(asked: Asked, tenant: Tenant) -> Answer:
    """Google Workspace: a stream per application; an answer without records has no `items`."""
    client = {"client_id": "YOUR_CLIENT_ID", "client_secret": "YOUR_CLIENT_SECRET"}
    if granted := token_granted(
        asked, "/token", client | {"grant_type": "refresh_token", "refresh_token": tenant.key}
    ):
        return granted
    root, _, stream = asked.path.rpartition("/")
    equal(root, "/admin/reports/v1/activity/users/all/applications")
    query = arguments(asked, asked.path, need="startTime endTime maxResults", may="pageToken")
    equal(query["maxResults"], "1000")
    found = tenant.between(moment(query["startTime"], FRACTIONS), moment(query["endTime"], FRACTIONS), stream)
    part, following = page_at(found, query.get("pageToken"))
    records = [
        {
            "id": {"time": written(one.at), "uniqueQualifier": str(one.number), "applicationName": stream},
            "number": one.number,
        }
        for one in part
    ]
    body: dict[str, Any] = {"kind": "admin#reports#activities"}
    return Answer(
        json=body | ({"items": records} if records else {}) | ({"nextPageToken": following} if following else {})
    )


def slack(asked: Asked, tenant: Tenant) -> Answer:
    """Slack: dates in seconds, an empty cursor on the last page."""
    signed_in(asked, "authorization", f"Bearer {tenant.key}")
    query = arguments(asked, "/audit/v1/logs", need="oldest latest limit", may="cursor")
    equal(query["limit"], "1000")
    part, following = page_at(tenant.between(epoch(query["oldest"]), epoch(query["latest"])), query.get("cursor"))
    entries = [{"id": f"s{one.number}", "date_create": int(one.at.timestamp()), "number": one.number} for one in part]
    return Answer(json={"entries": entries, "response_metadata": {"next_cursor": following or ""}})


def cloudflare(asked: Asked, tenant: Tenant) -> Answer:
    """Cloudflare: numbered pages, full but for the last one; no records are `null`."""
    signed_in(asked, "authorization", f"Bearer {tenant.key}")
    path = "/client/v4/accounts/YOUR_ACCOUNT_ID/audit_logs"
    query = arguments(asked, path, need="since before direction per_page page")
    equal((query["direction"], query["per_page"]), ("asc", "1000"))
    found = tenant.between(moment(query["since"], SECONDS), moment(query["before"], SECONDS))
    part, _ = page_at(found, f"after-{(int(query['page']) - 1) * 1000}", 1000)
    records = [{"id": f"c{one.number}", "when": written(one.at), "number": one.number} for one in part]
    return Answer(json={"success": True, "errors": [], "messages": [], "result": records or None})


def zendesk_audit(asked: Asked, tenant: Tenant) -> Answer:
    """Zendesk audit log: the filter's two bounds share a name; the last page has a cursor too."""
    signed_in(asked, "authorization", basic("YOUR_EMAIL/token", tenant.key))
    equal((asked.method, asked.path), ("GET", "/api/v2/audit_logs"))
    pairs = parse_qsl(urlsplit(asked.target).query)
    known(dict(pairs), "filter[created_at][] sort page[size]", "page[after]")
    equal((dict(pairs)["sort"], dict(pairs)["page[size]"]), ("created_at", "100"))
    bounds = [moment(text, SECONDS) for name, text in pairs if name == "filter[created_at][]"]
    equal(len(bounds), 2)
    part, following = page_at(tenant.between(bounds[0], bounds[1]), dict(pairs).get("page[after]"))
    records = [{"id": one.number, "created_at": written(one.at), "number": one.number} for one in part]
    more = {"has_more": following is not None, "after_cursor": following or "after-the-last"}
    return Answer(json={"audit_logs": records, "meta": more})


def zendesk_tickets(asked: Asked, tenant: Tenant) -> Answer:
    """Zendesk ticket export: a start only at first, then a cursor that stays good from poll to poll."""
    signed_in(asked, "authorization", basic("YOUR_EMAIL/token", tenant.key))
    query = arguments(asked, "/api/v2/incremental/tickets/cursor", need="per_page", may="start_time cursor")
    equal((query["per_page"], len(query)), ("1000", 2))
    skipped = 0
    if "start_time" in query:
        skipped = sum(one.at < epoch(query["start_time"]) for one in tenant.happenings)
    part, following = page_at(tenant.happenings, query.get("cursor", f"after-{skipped}"))
    tickets = [
        {
            "id": one.number,
            "generated_timestamp": int(one.at.timestamp()),
            "updated_at": written(one.at),
            "number": one.number,
        }
        for one in part
    ]
    after = following or f"after-{len(tenant.happenings)}"
    return Answer(json={"tickets": tickets, "after_cursor": after, "end_of_stream": following is None})


def onepassword(asked: Asked, tenant: Tenant) -> Answer:
    """1Password: a stream per path; a cursor stands alone in the body, and the last page has one too."""
    signed_in(asked, "authorization", f"Bearer {tenant.key}")
    root, _, stream = asked.path.rpartition("/")
    equal(root, "/api/v2")
    arguments(asked, asked.path, method="POST")
    body = asked.json
    if "cursor" in body:
        known(body, "cursor")
        since, until, token = str(body["cursor"]).split("|")
    else:
        known(body, "limit start_time end_time")
        equal(body["limit"], 1000)
        since, until, token = body["start_time"], body["end_time"], "after-0"
    part, following = page_at(tenant.between(moment(since, SECONDS), moment(until, SECONDS), stream), token)
    items = [{"uuid": f"P{one.number}", "timestamp": written(one.at), "number": one.number} for one in part]
    cursor = f"{since}|{until}|{following or 'after-the-last'}"
    return Answer(json={"cursor": cursor, "has_more": following is not None, "items": items})


def servicenow(asked: Asked, tenant: Tenant) -> Answer:
    """ServiceNow: an encoded query, dates in UTC without a zone."""
    signed_in(asked, "authorization", basic("YOUR_USER", tenant.key))
    need = "sysparm_query sysparm_exclude_reference_link sysparm_limit sysparm_offset"
    query = arguments(asked, "/api/now/table/sys_audit", need=need)
    equal((query["sysparm_exclude_reference_link"], query["sysparm_limit"]), ("true", "1000"))
    since, until, *order = query["sysparm_query"].split("^")
    equal(order, ["ORDERBYsys_created_on", "ORDERBYsys_id"])
    pattern = "%Y-%m-%d %H:%M:%S"
    found = tenant.between(moment(since, f"sys_created_on>={pattern}"), moment(until, f"sys_created_on<={pattern}"))
    part, _ = page_at(found, f"after-{query['sysparm_offset']}")
    records = [
        {"sys_id": f"{one.number:032x}", "sys_created_on": one.at.strftime(pattern), "number": one.number}
        for one in part
    ]
    return Answer(json={"result": records})


def jira(asked: Asked, tenant: Tenant) -> Answer:
    """Jira: newest first, and a total that counts what is shown."""
    signed_in(asked, "authorization", basic("YOUR_EMAIL", tenant.key))
    query = arguments(asked, "/rest/api/3/auditing/record", need="from to limit offset")
    equal(query["limit"], "1000")
    pattern = "%Y-%m-%dT%H:%M:%S.000+0000"
    found = tenant.between(moment(query["from"], pattern), moment(query["to"], pattern))[::-1]
    part, _ = page_at(found, f"after-{query['offset']}")
    records = [{"id": one.number, "created": one.at.strftime(pattern), "number": one.number} for one in part]
    return Answer(json={"offset": int(query["offset"]), "limit": 1000, "total": len(records), "records": records})


def gitlab(asked: Asked, tenant: Tenant) -> Answer:
    """GitLab: keyset paging, newest first, a span of 30 days at most."""
    signed_in(asked, "private-token", tenant.key)
    need = "created_after created_before pagination order_by sort per_page"
    query = arguments(asked, "/api/v4/groups/YOUR_GROUP_ID/audit_events", need=need, may="cursor")
    fixed = (query["pagination"], query["order_by"], query["sort"], query["per_page"])
    equal(fixed, ("keyset", "id", "desc", "100"))
    since, until = moment(query["created_after"], SECONDS), moment(query["created_before"], SECONDS)
    equal((until - since).days < 30, True)
    part, following = page_at(tenant.between(since, until)[::-1], query.get("cursor"))
    records = [{"id": one.number, "created_at": written(one.at), "number": one.number} for one in part]
    return linked(asked, records, "cursor", following)


def atlassian(asked: Asked, tenant: Tenant) -> Answer:
    """Atlassian: dates in milliseconds, newest first, the next page as a URL."""
    signed_in(asked, "authorization", f"Bearer {tenant.key}")
    query = arguments(asked, "/admin/v1/orgs/YOUR_ORG_ID/events", need="from to", may="cursor")
    found = tenant.between(epoch(query["from"], 1000), epoch(query["to"], 1000))[::-1]
    part, following = page_at(found, query.get("cursor"))
    records = [
        {"id": f"a{one.number}", "type": "events", "attributes": {"time": written(one.at)}, "number": one.number}
        for one in part
    ]
    links = {"self": here(asked)} | ({"next": here(asked, cursor=following)} if following else {})
    return Answer(json={"data": records, "meta": {"page_size": 25, "next": following}, "links": links})


def wiz(asked: Asked, tenant: Tenant) -> Answer:
    """Wiz: GraphQL; the last page has an end cursor too."""
    client = {"grant_type": "client_credentials", "client_id": "YOUR_CLIENT_ID", "client_secret": tenant.key}
    if granted := token_granted(asked, "/oauth/token", client | {"audience": "wiz-api"}):
        return granted
    arguments(asked, "/graphql", method="POST")
    known(asked.json, "query variables")
    query, variables = asked.json["query"], asked.json["variables"]
    equal((query.count("{"), "auditLogEntries(first: $first, after: $after" in query), (query.count("}"), True))
    known(variables, "first filterBy", "after")
    equal(variables["first"], 500)
    span = variables["filterBy"]["timestamp"]
    found = tenant.between(moment(span["after"], FRACTIONS), moment(span["before"], FRACTIONS))
    part, following = page_at(found, variables.get("after"))
    nodes = [{"id": f"w{one.number}", "timestamp": written(one.at), "number": one.number} for one in part]
    more = {"hasNextPage": following is not None, "endCursor": following or "after-the-last"}
    return Answer(json={"data": {"auditLogEntries": {"nodes": nodes, "pageInfo": more}}})


def sentinelone(asked: Asked, tenant: Tenant) -> Answer:
    """SentinelOne: dates with microseconds, a null cursor on the last page."""
    signed_in(asked, "authorization", f"ApiToken {tenant.key}")
    need = "updatedAt__gte updatedAt__lte limit sortBy sortOrder"
    query = arguments(asked, "/web/api/v2.1/threats", need=need, may="cursor")
    equal((query["limit"], query["sortBy"], query["sortOrder"]), ("1000", "createdAt", "asc"))
    found = tenant.between(moment(query["updatedAt__gte"], FRACTIONS), moment(query["updatedAt__lte"], FRACTIONS))
    part, following = page_at(found, query.get("cursor"))
    data = [
        {"id": f"t{one.number}", "threatInfo": {"updatedAt": written(one.at)}, "number": one.number} for one in part
    ]
    return Answer(json={"data": data, "pagination": {"totalItems": len(found), "nextCursor": following}})


def pagerduty(asked: Asked, tenant: Tenant) -> Answer:
    """PagerDuty: a token after a word of its own, newest first, a version in the Accept header."""
    signed_in(asked, "authorization", f"Token token={tenant.key}")
    equal(asked.headers.get("accept"), "application/vnd.pagerduty+json;version=2")
    query = arguments(asked, "/audit/records", need="since until limit", may="cursor")
    equal(query["limit"], "100")
    since, until = moment(query["since"], SECONDS), moment(query["until"], SECONDS)
    equal((until - since).days < 31, True)
    part, following = page_at(tenant.between(since, until)[::-1], query.get("cursor"))
    records = [{"id": f"p{one.number}", "execution_time": written(one.at), "number": one.number} for one in part]
    return Answer(json={"records": records, "next_cursor": following, "limit": 100})


def datadog(asked: Asked, tenant: Tenant) -> Answer:
    """Datadog: two keys; the last page has no cursor."""
    signed_in(asked, "dd-api-key", tenant.key)
    signed_in(asked, "dd-application-key", "YOUR_APPLICATION_KEY")
    need = "filter[from] filter[to] sort page[limit]"
    query = arguments(asked, "/api/v2/audit/events", need=need, may="page[cursor]")
    equal((query["sort"], query["page[limit]"]), ("timestamp", "1000"))
    found = tenant.between(moment(query["filter[from]"], FRACTIONS), moment(query["filter[to]"], FRACTIONS))
    part, following = page_at(found, query.get("page[cursor]"))
    data = [
        {
            "id": f"A{one.number}",
            "type": "audit",
            "attributes": {"timestamp": written(one.at)},
            "number": one.number,
        }
        for one in part
    ]
    return Answer(json={"data": data, "meta": {"page": {"after": following} if following else {}}})


SIGN_INS = {"$orderby": "createdDateTime", "$top": "999"}

RECIPE_APIS: Mapping[str, RecipeApi] = {
    "atlassian_admin_events": RecipeApi(serve=atlassian),
    "cloudflare_audit_logs": RecipeApi(serve=cloudflare, page=1000),
    "datadog_audit_events": RecipeApi(serve=datadog),
    "github_audit_log": RecipeApi(serve=github),
    "gitlab_audit_events": RecipeApi(serve=gitlab),
    "google_workspace_activities": RecipeApi(serve=google, streams=("login", "admin", "token")),
    "jira_audit_records": RecipeApi(serve=jira),
    "microsoft_defender_alerts": RecipeApi(
        serve=graph("/v1.0/security/alerts_v2", "lastUpdateDateTime", {}), updates=True
    ),
    "microsoft_entra_sign_ins": RecipeApi(serve=graph("/v1.0/auditLogs/signIns", "createdDateTime", SIGN_INS)),
    "okta_system_log": RecipeApi(serve=okta),
    "1password_events": RecipeApi(serve=onepassword, streams=("signinattempts", "itemusages", "auditevents")),
    "pagerduty_audit_records": RecipeApi(serve=pagerduty),
    "sentinelone_threats": RecipeApi(serve=sentinelone, updates=True),
    "servicenow_audit": RecipeApi(serve=servicenow),
    "slack_audit_logs": RecipeApi(serve=slack),
    "wiz_audit_log": RecipeApi(serve=wiz),
    "zendesk_audit_logs": RecipeApi(serve=zendesk_audit),
    "zendesk_tickets": RecipeApi(serve=zendesk_tickets, updates=True),
}
