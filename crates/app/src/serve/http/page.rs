//! `/`: the reference of the API as one page, made from the OpenAPI document. It needs no script and nothing from elsewhere.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use super::openapi::DOCUMENT;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;\
background:#fff}h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}h3{font:600 1rem ui-monospace,\
monospace;margin:1.75rem 0 .25rem}h3 b{display:inline-block;min-width:4.5rem;color:#0a5}code{font-family:ui-monospace,\
monospace}table{border-collapse:collapse;width:100%;margin:.5rem 0}td{padding:.15rem .75rem .15rem 0;vertical-align:top;\
border-top:1px solid #eaeef2}td:first-child{white-space:nowrap;width:12rem}nav a{margin-right:1rem}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}h2,td{border-color:#30363d}a{color:#58a6ff}\
h3 b{color:#3fb950}}";

static PAGE: LazyLock<String> = LazyLock::new(|| written(&serde_json::to_value(&*DOCUMENT).unwrap_or_default()));

/// The reference of the API, for people.
#[utoipa::path(get, path = "/", tag = "service", operation_id = "reference", responses(
    (status = 200, description = "A page.", content_type = "text/html", body = String)))]
pub(super) async fn page() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE.as_str())).into_response()
}

fn written(document: &Value) -> String {
    let mut page = String::new();
    // writing to a string does not fail
    let _ = write(document, &mut page);
    page
}

fn write(document: &Value, page: &mut String) -> std::fmt::Result {
    let info = &document["info"];
    write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Millrace API</title><style>{STYLE}</style><h1>Millrace API</h1><p>{}</p>\
         <p><a href=\"/openapi.json\">openapi.json</a> · version {}</p>",
        escaped(&info["description"]),
        escaped(&info["version"])
    )?;
    let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    page.push_str("<nav>");
    for tag in tags {
        let name = escaped(&tag["name"]);
        write!(page, "<a href=\"#{}\">{name}</a>", name.replace(' ', "-"))?;
    }
    page.push_str("</nav>");
    for tag in tags {
        let name = escaped(&tag["name"]);
        write!(page, "<h2 id=\"{}\">{name}</h2><p>{}</p>", name.replace(' ', "-"), escaped(&tag["description"]))?;
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"].as_array().is_some_and(|tags| tags.contains(&tag["name"])) {
                    write_operation(path, method, operation, page)?;
                }
            }
        }
    }
    Ok(())
}

fn write_operation(path: &str, method: &str, operation: &Value, page: &mut String) -> std::fmt::Result {
    let path = escaped(&Value::from(path));
    let id = escaped(&operation["operationId"]);
    write!(page, "<h3 id=\"{id}\"><b>{}</b> {path}</h3>", method.to_uppercase())?;
    write!(page, "<p>{} {}</p>", escaped(&operation["summary"]), escaped(&operation["description"]))?;
    page.push_str("<table>");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = if parameter["in"] == "query" { "?" } else { "" };
        let must = if parameter["required"] == true { " (needed)" } else { "" };
        let (name, said) = (escaped(&parameter["name"]), escaped(&parameter["description"]));
        write!(page, "<tr><td><code>{place}{name}</code>{must}<td>{said}")?;
    }
    if let Some(kinds) = operation["requestBody"]["content"].as_object() {
        let kinds: Vec<String> =
            kinds.keys().map(|kind| format!("<code>{}</code>", escaped(&Value::from(kind.as_str())))).collect();
        write!(page, "<tr><td>body<td>{}", kinds.join(", "))?;
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let kinds: Vec<&str> =
            response["content"].as_object().into_iter().flatten().map(|(kind, _)| kind.as_str()).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!(" <code>{}</code>", kinds.join(", ")) };
        write!(
            page,
            "<tr><td>{}<td>{}{kinds}",
            escaped(&Value::from(status.as_str())),
            escaped(&response["description"])
        )?;
    }
    page.push_str("</table>");
    Ok(())
}

fn escaped(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
