//! What a page in somebody's browser could make the service do: a browser runs on the machine of its user, and sends what
//! any page asks for.
//!
//! Where nobody is asked for a key, a page whose name is made to lead to this machine (DNS rebinding) would be let in as
//! its user is: the host that a request names must be one of ours. And a page of elsewhere may send some requests without
//! being asked for leave, which change things even if it never reads the answer: browsers tell where a request comes from,
//! in `Sec-Fetch-Site` and `Origin`. Programs that are no browsers send neither, and go on as they do.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};

use super::cors;
use crate::serve::http::Problem;
use crate::serve::settings::{Access, Settings};

/// A name by which the service is called, without a port; `*` is any.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Host(pub String);

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        written.parse()
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let is_address = written.parse::<IpAddr>().is_ok();
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if written == "*" || is_address || (!written.is_empty() && written.chars().all(is_name)) {
            return Ok(Self(bare(written)));
        }
        Err(format!("`{written}` is no host such as files.example, without a scheme, a port and a path"))
    }
}

/// A request that is not obeyed.
#[derive(Debug)]
pub(in crate::serve) struct Foreign {
    pub code: &'static str,
    pub detail: String,
    pub hint: &'static str,
}

impl From<Foreign> for Problem {
    fn from(Foreign { code, detail, hint }: Foreign) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail).hint(hint)
    }
}

/// Refuses a request that names a host which is none of ours, where nobody is asked for a key.
pub(in crate::serve) fn host(
    settings: &Settings,
    bound: SocketAddr,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Foreign> {
    if settings.access != Access::None {
        return Ok(());
    }
    // who has read a name by which it is to be called that it never sent is no browser
    let named = headers.get_all(header::HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    match named.chain(uri.authority().map(ToString::to_string)).find(|named| !is_ours(settings, bound, named)) {
        None => Ok(()),
        Some(named) => Err(Foreign {
            code: "foreign_host",
            detail: format!("the request is for the host `{}`, and this service is not called so", shown(&named)),
            hint: "call it 127.0.0.1 or localhost, or add the name to `hosts` of [serve] (--hosts)",
        }),
    }
}

/// Whether a name leads here without anybody's doing, or was given to the service.
fn is_ours(settings: &Settings, bound: SocketAddr, named: &str) -> bool {
    let name = bare(without_port(named));
    let address = name.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_some_and(|address| address.is_loopback() || address == bound.ip())
        || settings.hosts.iter().any(|Host(known)| known == "*" || *known == name)
}

/// Refuses a request that changes something and that a browser sent for a page of elsewhere, unless that may call.
pub(in crate::serve) fn page(
    settings: &Settings,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Foreign> {
    if method.is_safe() || cors::allowed(&settings.cors, headers).is_some() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let origin = text("origin");
    // the browser knows better than we do: a proxy may have given the host another name
    let is_here = match (text("sec-fetch-site").as_deref(), origin.as_deref()) {
        (Some("same-origin" | "none"), _) | (None, None) => true,
        (Some(_), _) => false,
        (None, Some(origin)) => {
            let host = text("host").or(uri.authority().map(|host| host.as_str().into()));
            let of_origin = origin.split_once("://").map(|(_, host)| host);
            of_origin.zip(host.as_deref()).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
        }
    };
    if is_here {
        return Ok(());
    }
    let origin = shown(origin.as_deref().unwrap_or("another site"));
    Err(Foreign {
        code: "foreign_page",
        detail: format!("a page of {origin} sent this {method} from a browser, and may not"),
        hint: "if it may, add its origin to `cors` of [serve] (--cors)",
    })
}

/// A host without the port: `[::1]:80`, `::1` and `a:80` have one where a port is read.
fn without_port(named: &str) -> &str {
    match named.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && is_whole(host) => host,
        _ => named,
    }
}

fn is_whole(host: &str) -> bool {
    !host.contains(':') || host.ends_with(']')
}

/// A name as it is compared: small letters, without the dot of the root and the brackets of an address.
fn bare(name: &str) -> String {
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// What stood in a header, as it can be told.
fn shown(text: &str) -> String {
    text.chars().take(100).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_browsers_write_them() {
        for (named, host) in [
            ("LocalHost:8080", "localhost"),
            ("localhost.", "localhost"),
            ("127.0.0.1:9000", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("files.example", "files.example"),
            ("evil.example:localhost", "evil.example:localhost"),
            ("localhost:80@evil.example", "localhost:80@evil.example"),
            ("", ""),
        ] {
            assert_eq!(bare(without_port(named)), host, "{named}");
        }
    }

    #[test]
    fn a_host_is_a_name_and_nothing_else() {
        for (written, host) in [("Files.Example", "files.example"), ("*", "*"), ("::1", "::1"), ("a_b-c.d", "a_b-c.d")]
        {
            assert_eq!(written.parse(), Ok(Host(host.to_owned())), "{written}");
        }
        for wrong in ["", "https://files.example", "files.example:8080", "*.example", "files.example/", "a b"] {
            assert!(wrong.parse::<Host>().is_err_and(|told| told.contains(&format!("`{wrong}`"))), "{wrong}");
        }
    }
}
