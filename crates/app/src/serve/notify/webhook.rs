//! One webhook: what it wants to hear, and how it is sent and signed (Standard Webhooks).

use std::time::Duration;

use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::complain::Hint;
use crate::limits::WEBHOOK_SECONDS_MAX;
use engine::pipeline::encoding::{base64, from_base64};

/// Bytes of a secret, at least: shorter ones can be guessed.
const SECRET_BYTES_MIN: usize = 24;
/// What the text of a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// A webhook as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// Its name.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// `whsec_` and base64.
    pub secret: Option<String>,
    /// The variable of the environment that has the secret.
    pub secret_env: Option<String>,
    /// Events it wants to hear, `*` for all, `file.*` for those that begin so.
    #[serde(default = "all")]
    pub events: Vec<String>,
    /// The line on which it is declared, once that is known.
    #[serde(skip)]
    pub(crate) line: Option<usize>,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

/// A webhook that can be sent to.
#[derive(Clone)]
pub(crate) struct Webhook {
    pub name: String,
    pub url: String,
    key: hmac::Key,
    events: Vec<String>,
}

/// How a receiver answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has it.
    Taken(u16),
    /// It has not, or nobody knows.
    Refused(String),
}

impl Written {
    /// What it is called, and where it is declared.
    pub fn place(&self) -> String {
        let line = self.line.map(|line| format!("line {line}, ")).unwrap_or_default();
        format!("{line}webhook `{}`", self.name)
    }
}

impl Webhook {
    /// Reads a declaration.
    pub fn new(written: &Written) -> Result<Self, Hint> {
        let Written { name, url, secret, secret_env, events, .. } = written;
        let wrong = |what: String, hint: &str| Err(Hint::new(format!("{}: {what}", written.place()), hint));
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("its name is not fit".to_owned(), "take 1 to 64 visible ASCII characters");
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return wrong(format!("`{url}` is no address"), "write one that begins with https://");
        }
        let of_env = |name: &String| std::env::var(name).ok();
        let Some(secret) = secret.clone().or_else(|| secret_env.as_ref().and_then(of_env)) else {
            return wrong(
                "it has no secret".to_owned(),
                "write secret = \"whsec_…\", or secret_env = \"NAME\" and set that variable",
            );
        };
        let bytes = secret.strip_prefix(SECRET_PREFIX).and_then(from_base64).unwrap_or_default();
        if bytes.len() < SECRET_BYTES_MIN {
            let hint = "write whsec_ and at least 24 random bytes in base64: openssl rand -base64 32";
            return wrong("its secret is not fit".to_owned(), hint);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Ok(Self { name: name.clone(), url: url.clone(), key, events: events.clone() })
    }

    /// Whether it wants to hear of an event.
    pub fn wants(&self, event: &str) -> bool {
        self.events.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => event.starts_with(beginning),
            None => wanted == event,
        })
    }

    /// What proves that the body is ours.
    pub fn signature(&self, id: &str, seconds: u64, payload: &str) -> String {
        let signed = hmac::sign(&self.key, format!("{id}.{seconds}.{payload}").as_bytes());
        format!("v1,{}", base64(signed.as_ref()))
    }

    /// Sends an event and waits for the answer.
    pub fn send(&self, agent: &ureq::Agent, id: &str, seconds: u64, payload: &str) -> Answer {
        let answered = agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", self.signature(id, seconds, payload))
            .send(payload);
        match answered {
            Ok(response) if response.status().is_success() => Answer::Taken(response.status().as_u16()),
            Ok(response) => Answer::Refused(format!("{} answered {}", self.url, response.status())),
            Err(error) => Answer::Refused(format!("{} could not be reached: {error}", self.url)),
        }
    }
}

/// What all webhooks are sent with. Redirects are not followed: the address is the operator's to change.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(WEBHOOK_SECONDS_MAX)))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            name: "desk".into(),
            url: "https://desk.example/hook".into(),
            secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
            secret_env: None,
            events: vec!["file.*".into(), "alarm.raised".into()],
            line: None,
        }
    }

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // the example of the Standard Webhooks specification
        let webhook = Webhook::new(&written()).unwrap();
        let signature = webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn it_hears_what_it_wants() {
        let webhook = Webhook::new(&written()).unwrap();
        assert!(webhook.wants("file.completed") && webhook.wants("alarm.raised"));
        assert!(!webhook.wants("alarm.cleared") && !webhook.wants("files"));
    }

    #[test]
    fn what_is_not_fit_is_refused_with_what_to_write() {
        let refused = |change: &dyn Fn(&mut Written)| {
            let mut written = written();
            change(&mut written);
            Webhook::new(&written).err().map(|hint| hint.to_string()).unwrap()
        };
        assert!(refused(&|of| of.url = "desk".into()).contains("`desk` is no address"));
        assert!(refused(&|of| of.secret = None).contains("no secret"));
        assert!(refused(&|of| of.secret = Some("whsec_YWJj".into())).contains("secret is not fit"));
        let typo = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw-".to_owned();
        assert!(refused(&move |of| of.secret = Some(typo.clone())).contains("secret is not fit"));
        assert!(refused(&|of| of.name = "a b".into()).contains("name is not fit"));
    }
}
