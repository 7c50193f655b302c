//! The door: routes, what a request must have, how often, and the logs of it.

use pipeline::sha256::Sha256;
use pipeline::topology::{Access, Rate, Required, Route, Trigger};

use super::{Stack, parameters};
use crate::json::Json;
use crate::names::{capitals, logical_id};
use crate::reference::{Handle, Text};
use crate::resources::api::{
    Account, ApiKey, Deployment, GatewayResponse, Integration, Method, Model, Parent, Path, RequestValidator, RestApi,
    Stage, UsagePlan, UsagePlanKey, method_arn,
};
use crate::resources::functions::Permission;
use crate::resources::roles::Role;
use crate::template::if_else;

/// The stage of the API, which the URL ends with.
const STAGE: &str = "prod";
/// What is handed on as bytes, where files are sent.
const BINARY: [&str; 5] =
    ["multipart/form-data", "text/csv", "application/octet-stream", "application/gzip", "application/zip"];

pub(super) fn add(stack: &mut Stack<'_>) {
    let name = stack.topology.api;
    let api: Handle<RestApi> = stack.api();
    let takes_files =
        stack.topology.routes.iter().any(|route| route.requires.contains(&Required::Header("Content-Type")));
    let resource = RestApi {
        name: stack.named(name),
        description: format!("Millrace: {}", paths(stack)),
        binary: if takes_files { BINARY.to_vec() } else { Vec::new() },
        tags: stack.tags(),
    };
    stack.template.add(&api, resource);
    let mut parts: Vec<String> = Vec::new();
    let validator = Handle::new(logical_id(name, "Validator"));
    let validates = stack.topology.routes.iter().any(|route| !route.requires.is_empty());
    if validates {
        let resource = RequestValidator { name: stack.named(name), api: api.reference() };
        stack.template.add(&validator, resource);
        parts.push(validator.id().to_owned());
    }
    for route in &stack.topology.routes {
        let path = add_path(stack, route.path, &mut parts);
        add_method(stack, route, &path, &validator, &mut parts);
        if route.cors {
            add_options(stack, route, &path, &mut parts);
        }
    }
    if stack.topology.routes.iter().any(|route| route.cors) {
        for of in ["DEFAULT_4XX", "DEFAULT_5XX"] {
            let headers = vec![("Access-Control-Allow-Origin", quoted("${AllowedOrigin}"))];
            let handle = Handle::new(format!("Errors{}", &of[8..]));
            stack.template.add(&handle, GatewayResponse { api: api.reference(), of, headers });
            parts.push(handle.id().to_owned());
        }
    }
    add_stage(stack, &parts);
    add_plan(stack);
}

fn paths(stack: &Stack<'_>) -> String {
    let routes = stack.topology.routes.iter().map(|route| format!("{} {}", route.method, route.path));
    routes.collect::<Vec<_>>().join(", ")
}

/// A value as the gateway wants values: in quotes.
fn quoted(value: &str) -> Text {
    Text::substituted(format!("'{value}'"))
}

/// The parts of a path, those that are not there yet.
fn add_path(stack: &mut Stack<'_>, path: &str, parts: &mut Vec<String>) -> Handle<Path> {
    let api = stack.api();
    let mut parent = Parent::Root(api.id().to_owned());
    let mut so_far = String::new();
    let mut last = Handle::new("");
    for part in path.split('/').filter(|part| !part.is_empty()) {
        so_far = format!("{so_far}/{part}");
        last = Handle::new(logical_id(&so_far, "Path"));
        if !parts.iter().any(|other| other == last.id()) {
            stack.template.add(&last, Path { api: api.reference(), parent, part: part.to_owned() });
            parts.push(last.id().to_owned());
        }
        parent = Parent::Path(last.reference());
    }
    last
}

fn add_method(
    stack: &mut Stack<'_>,
    route: &Route,
    path: &Handle<Path>,
    validator: &Handle<RequestValidator>,
    parts: &mut Vec<String>,
) {
    let api = stack.api();
    let Some(function) = stack.functions().iter().find(|other| other.triggers.contains(&Trigger::Route(route.path)))
    else {
        return;
    };
    let mut parameters = Vec::new();
    let mut model = None;
    for required in route.requires {
        match required {
            Required::Query(name) => parameters.push((format!("method.request.querystring.{name}"), true)),
            Required::Header(name) => parameters.push((format!("method.request.header.{name}"), true)),
            Required::Fields(fields) => {
                let handle = Handle::new(logical_id(route.path, "Model"));
                let name = capitals(route.path);
                stack.template.add(&handle, Model { name, api: api.reference(), fields: fields.to_vec() });
                parts.push(handle.id().to_owned());
                model = Some(handle.reference());
            }
        }
    }
    let id = format!("{}{}", capitals(&route.method.to_ascii_lowercase()), capitals(route.path));
    let handle = Handle::new(logical_id(&id, "Method"));
    let called = stack.function(function.name);
    let method = Method {
        api: api.reference(),
        path: path.reference(),
        method: route.method,
        authorization: if route.access == Access::Signed { "AWS_IAM" } else { "NONE" },
        needs_key: route.access == Access::ApiKey,
        parameters,
        validator: (!route.requires.is_empty()).then(|| validator.reference()),
        model,
        integration: Integration::Function(called.id().to_owned()),
    };
    stack.template.add(&handle, method);
    parts.push(handle.id().to_owned());
    let (path, _) = route.path.split_once("{proxy+}").unwrap_or((route.path, ""));
    let path = if path.len() < route.path.len() { format!("{path}*") } else { path.to_owned() };
    let permission = Permission {
        function: called.arn(),
        principal: "apigateway.amazonaws.com",
        source: method_arn(api.id(), STAGE, route.method, &path),
    };
    stack.template.add(&Handle::new(logical_id(&id, "Permission")), permission);
}

/// What a browser asks before it asks.
fn add_options(stack: &mut Stack<'_>, route: &Route, path: &Handle<Path>, parts: &mut Vec<String>) {
    let headers = vec![
        ("Access-Control-Allow-Origin", quoted("${AllowedOrigin}")),
        ("Access-Control-Allow-Methods", format!("'{},OPTIONS'", route.method).into()),
        (
            "Access-Control-Allow-Headers",
            "'Authorization,Content-Type,X-Amz-Date,X-Amz-Security-Token,X-Api-Key'".into(),
        ),
        ("Access-Control-Max-Age", "'600'".into()),
    ];
    let method = Method {
        api: stack.api().reference(),
        path: path.reference(),
        method: "OPTIONS",
        authorization: "NONE",
        needs_key: false,
        parameters: Vec::new(),
        validator: None,
        model: None,
        integration: Integration::Headers(headers),
    };
    let handle = Handle::new(logical_id(&format!("Options{}", capitals(route.path)), "Method"));
    stack.template.add(&handle, method);
    parts.push(handle.id().to_owned());
}

/// The API as it is now, at an address, with its logs.
fn add_stage(stack: &mut Stack<'_>, parts: &[String]) {
    let api = stack.api();
    let name = stack.topology.api;
    let deployment: Handle<Deployment> = Handle::new(format!("{}Deployment{}", capitals(name), digest(stack, parts)));
    let after: Vec<&str> = parts.iter().map(String::as_str).collect();
    stack.template.add(&deployment, Deployment { api: api.reference() }).after(&after);
    let requests = stack.logs(&format!("{name}-requests"));
    let log_name = format!("/aws/apigateway/{}", stack.named(name));
    stack.add_logs(&requests, log_name);
    // the gateway makes this group itself, and then it keeps its lines for ever
    let errors = stack.logs(&format!("{name}-errors"));
    stack.add_logs(&errors, Text::substituted(format!("API-Gateway-Execution-Logs_${{{}}}/{STAGE}", api.id())));
    let role = stack.role("ApiGatewayLog");
    let resource = Role {
        name: stack.named(&format!("{name}-log-role")),
        service: "apigateway.amazonaws.com",
        statements: Vec::new(),
        // of the whole account, so it cannot be narrower than the cloud's own
        managed: Some("service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
        tags: stack.tags(),
    };
    stack.template.add(&role, resource).only_if(parameters::MAKES_LOG_ROLE);
    let account = Handle::new("ApiGatewayAccount");
    stack.template.add(&account, Account { role: role.arn() }).only_if(parameters::MAKES_LOG_ROLE);
    let per_second_max = stack.topology.routes.iter().find_map(|route| match route.rate {
        Rate::PerSecond(count) => Some(count),
        Rate::PerDayAndKey(_) => None,
    });
    let resource = Stage {
        api: api.reference(),
        deployment: deployment.reference(),
        name: STAGE,
        description: if_else(
            parameters::MAKES_LOG_ROLE,
            // the reference makes it wait for the role that it logs by
            Text::substituted("Logs by way of ${ApiGatewayAccount}"),
            Text::from("Logs by way of the account"),
        ),
        per_second_max,
        logs: requests.arn(),
        line: line(),
        tags: stack.tags(),
    };
    let handle = stack.stage();
    stack.template.add(&handle, resource).after(&[errors.id()]);
}

/// What is logged of a request: who, what, and how long it took.
fn line() -> Json {
    let keys = [
        ("requestId", "requestId"),
        ("traceId", "xrayTraceId"),
        ("time", "requestTime"),
        ("method", "httpMethod"),
        ("path", "path"),
        ("status", "status"),
        ("bytes", "responseLength"),
        ("milliseconds", "responseLatency"),
        ("ip", "identity.sourceIp"),
        ("caller", "identity.caller"),
        ("apiKeyId", "identity.apiKeyId"),
        ("error", "error.message"),
    ];
    Json::object(keys.map(|(key, of)| (key, format!("$context.{of}").into())))
}

/// The first characters of the digest of all that an API is made of: a changed API needs a new deployment.
fn digest(stack: &Stack<'_>, parts: &[String]) -> String {
    let mut digest = Sha256::default();
    let api = stack.api();
    for id in std::iter::once(api.id()).chain(parts.iter().map(String::as_str)) {
        digest.update(id.as_bytes());
        digest.update(stack.template.properties(id).map(Json::compact).unwrap_or_default().as_bytes());
    }
    digest.finish()[..8].to_owned()
}

/// How often each key may be used.
fn add_plan(stack: &mut Stack<'_>) {
    let daily = stack.topology.routes.iter().find_map(|route| match route.rate {
        Rate::PerDayAndKey(count) => Some(count),
        Rate::PerSecond(_) => None,
    });
    let Some(per_day_max) = daily else { return };
    let name = stack.topology.api;
    let key = stack.api_key();
    let resource = ApiKey { name: stack.named(name), tags: stack.tags() };
    stack.template.add(&key, resource);
    let plan: Handle<UsagePlan> = Handle::new(logical_id(name, "UsagePlan"));
    let resource = UsagePlan {
        name: stack.named(name),
        api: stack.api().reference(),
        stage: stack.stage().reference(),
        per_day_max,
        tags: stack.tags(),
    };
    stack.template.add(&plan, resource);
    let under = UsagePlanKey { key: key.reference(), plan: plan.reference() };
    stack.template.add(&Handle::new(logical_id(name, "UsagePlanKey")), under);
}

impl Stack<'_> {
    fn api(&self) -> Handle<RestApi> {
        Handle::new(logical_id(self.topology.api, "Api"))
    }

    fn stage(&self) -> Handle<Stage> {
        Handle::new(logical_id(self.topology.api, "Stage"))
    }

    pub(super) fn api_key(&self) -> Handle<ApiKey> {
        Handle::new(logical_id(self.topology.api, "Key"))
    }

    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> Text {
        let api = self.api();
        let host = format!("${{{}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}", api.id());
        Text::substituted(format!("https://{host}/{STAGE}{path}"))
    }
}
