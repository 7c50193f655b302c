//! REST APIs of API Gateway: ways in, what a request must have, how often, and the logs of it.

use crate::json::{Fields, Json};
use crate::reference::{Arn, Ref, Text};
use crate::resources::Tags;
use crate::resources::logs::LogGroup;
use crate::resources::roles::Role;
use crate::template::Resource;

/// `AWS::ApiGateway::RestApi`. Its `Ref` is its id.
#[derive(Debug)]
pub struct RestApi {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What is handed on as bytes.
    pub binary: Vec<&'static str>,
    /// Tags.
    pub tags: Tags,
}

impl Resource for RestApi {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::RestApi"
    }

    fn properties(self) -> Json {
        Fields::new()
            .with("Name", self.name)
            .with("Description", self.description)
            .with("EndpointConfiguration", Json::object([("Types", vec!["REGIONAL"].into())]))
            .maybe("BinaryMediaTypes", (!self.binary.is_empty()).then_some(self.binary))
            .with("Tags", self.tags)
            .into()
    }
}

/// Above what a path lies.
#[derive(Debug)]
pub enum Parent {
    /// The root of an API, by its logical id.
    Root(String),
    /// Another path.
    Path(Ref<Path>),
}

/// `AWS::ApiGateway::Resource`: one part of a path.
#[derive(Debug)]
pub struct Path {
    /// Of which API.
    pub api: Ref<RestApi>,
    /// Above it.
    pub parent: Parent,
    /// The part.
    pub part: String,
}

impl Resource for Path {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Resource"
    }

    fn properties(self) -> Json {
        let parent = match self.parent {
            Parent::Root(api) => Json::object([("Fn::GetAtt", Json::list([api, "RootResourceId".to_owned()]))]),
            Parent::Path(path) => path.into(),
        };
        Fields::new().with("RestApiId", self.api).with("ParentId", parent).with("PathPart", self.part).into()
    }
}

/// `AWS::ApiGateway::Method`.
#[derive(Debug)]
pub struct Method {
    /// Of which API.
    pub api: Ref<RestApi>,
    /// On which path.
    pub path: Ref<Path>,
    /// The method.
    pub method: &'static str,
    /// `NONE` or `AWS_IAM`.
    pub authorization: &'static str,
    /// Whether it needs an API key.
    pub needs_key: bool,
    /// Parameters, and whether a request must have them.
    pub parameters: Vec<(String, bool)>,
    /// What looks at them.
    pub validator: Option<Ref<RequestValidator>>,
    /// What a JSON body must be.
    pub model: Option<Ref<Model>>,
    /// What answers.
    pub integration: Integration,
}

/// What answers a request.
#[derive(Debug)]
pub enum Integration {
    /// A function, by its logical id.
    Function(String),
    /// The gateway itself, with these headers: what a browser asks before it asks.
    Headers(Vec<(&'static str, Text)>),
}

impl Resource for Method {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Method"
    }

    fn properties(self) -> Json {
        let parameters = self.parameters.into_iter().map(|(name, must)| (name, must.into())).collect::<Vec<_>>();
        let models = self.model.map(|model| Json::object([("application/json", model.into())]));
        let fields = Fields::new()
            .with("RestApiId", self.api)
            .with("ResourceId", self.path)
            .with("HttpMethod", self.method)
            .with("AuthorizationType", self.authorization)
            .with("ApiKeyRequired", self.needs_key)
            .maybe("RequestParameters", (!parameters.is_empty()).then_some(Json::Object(parameters)))
            .maybe("RequestValidatorId", self.validator)
            .maybe("RequestModels", models);
        match self.integration {
            Integration::Function(id) => {
                let uri = format!(
                    "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/\
                     ${{{id}.Arn}}/invocations"
                );
                let integration = Fields::new()
                    .with("Type", "AWS_PROXY")
                    .with("IntegrationHttpMethod", "POST")
                    .with("Uri", Text::substituted(uri));
                fields.with("Integration", integration).into()
            }
            Integration::Headers(headers) => with_headers(fields, headers),
        }
    }
}

fn with_headers(fields: Fields, headers: Vec<(&'static str, Text)>) -> Json {
    let name = |header: &str| format!("method.response.header.{header}");
    let declared = headers.iter().map(|(header, _)| (name(header), true.into())).collect();
    let given = headers.into_iter().map(|(header, value)| (name(header), value.into())).collect();
    let answer = |key: &str, of: Vec<(String, Json)>| {
        Json::List(vec![Json::object([("StatusCode", "204".into()), (key, Json::Object(of))])])
    };
    let integration = Fields::new()
        .with("Type", "MOCK")
        .with("RequestTemplates", Json::object([("application/json", "{\"statusCode\": 204}".into())]))
        .with("IntegrationResponses", answer("ResponseParameters", given));
    fields.with("Integration", integration).with("MethodResponses", answer("ResponseParameters", declared)).into()
}

/// `AWS::ApiGateway::RequestValidator`.
#[derive(Debug)]
pub struct RequestValidator {
    /// Its name.
    pub name: String,
    /// Of which API.
    pub api: Ref<RestApi>,
}

impl Resource for RequestValidator {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::RequestValidator"
    }

    fn properties(self) -> Json {
        Fields::new()
            .with("Name", self.name)
            .with("RestApiId", self.api)
            .with("ValidateRequestParameters", true)
            .with("ValidateRequestBody", true)
            .into()
    }
}

/// `AWS::ApiGateway::Model`: a JSON object with these texts.
#[derive(Debug)]
pub struct Model {
    /// Its name: letters and digits.
    pub name: String,
    /// Of which API.
    pub api: Ref<RestApi>,
    /// What is in it.
    pub fields: Vec<&'static str>,
}

impl Resource for Model {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Model"
    }

    fn properties(self) -> Json {
        let text = Json::object([("type", "string".into()), ("minLength", 1.into()), ("maxLength", 1024.into())]);
        let fields = self.fields.iter().map(|field| ((*field).to_owned(), text.clone())).collect();
        let schema = Fields::new()
            .with("$schema", "http://json-schema.org/draft-04/schema#")
            .with("type", "object")
            .with("properties", Json::Object(fields))
            .with("required", self.fields);
        Fields::new()
            .with("Name", self.name)
            .with("RestApiId", self.api)
            .with("ContentType", "application/json")
            .with("Schema", schema)
            .into()
    }
}

/// `AWS::ApiGateway::GatewayResponse`: headers of errors that the gateway itself gives.
#[derive(Debug)]
pub struct GatewayResponse {
    /// Of which API.
    pub api: Ref<RestApi>,
    /// Which errors, such as `DEFAULT_4XX`.
    pub of: &'static str,
    /// The headers.
    pub headers: Vec<(&'static str, Text)>,
}

impl Resource for GatewayResponse {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::GatewayResponse"
    }

    fn properties(self) -> Json {
        let headers = self.headers.into_iter();
        let headers = headers.map(|(name, value)| (format!("gatewayresponse.header.{name}"), value.into())).collect();
        Fields::new()
            .with("RestApiId", self.api)
            .with("ResponseType", self.of)
            .with("ResponseParameters", Json::Object(headers))
            .into()
    }
}

/// `AWS::ApiGateway::Deployment`: an API as it was when this was made. A changed API needs another one.
#[derive(Debug)]
pub struct Deployment {
    /// Of which API.
    pub api: Ref<RestApi>,
}

impl Resource for Deployment {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Deployment"
    }

    fn properties(self) -> Json {
        Json::object([("RestApiId", self.api.into())])
    }
}

/// `AWS::ApiGateway::Stage`. Its `Ref` is its name.
#[derive(Debug)]
pub struct Stage {
    /// Of which API.
    pub api: Ref<RestApi>,
    /// What is at it.
    pub deployment: Ref<Deployment>,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: Json,
    /// Requests in a second, by all callers together, also at one moment.
    pub per_second_max: Option<u32>,
    /// Where a line about each request goes.
    pub logs: Arn<LogGroup>,
    /// Such a line.
    pub line: Json,
    /// Tags.
    pub tags: Tags,
}

impl Resource for Stage {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Stage"
    }

    fn properties(self) -> Json {
        let settings = Fields::new()
            .with("ResourcePath", "/*")
            .with("HttpMethod", "*")
            .with("MetricsEnabled", true)
            .with("DataTraceEnabled", false)
            .with("LoggingLevel", "ERROR")
            .maybe("ThrottlingRateLimit", self.per_second_max)
            .maybe("ThrottlingBurstLimit", self.per_second_max);
        let logs = Json::object([("DestinationArn", self.logs.into()), ("Format", self.line.compact().into())]);
        Fields::new()
            .with("RestApiId", self.api)
            .with("DeploymentId", self.deployment)
            .with("StageName", self.name)
            .with("Description", self.description)
            .with("TracingEnabled", true)
            .with("MethodSettings", vec![settings])
            .with("AccessLogSetting", logs)
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::ApiGateway::Account`: as whom API Gateway writes logs; one for all APIs of an account in a region.
#[derive(Debug)]
pub struct Account {
    /// The role.
    pub role: Arn<Role>,
}

impl Resource for Account {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::Account"
    }

    fn properties(self) -> Json {
        Json::object([("CloudWatchRoleArn", self.role.into())])
    }
}

/// `AWS::ApiGateway::ApiKey`. Its `Ref` is its id, not the key.
#[derive(Debug)]
pub struct ApiKey {
    /// Its name.
    pub name: String,
    /// Tags.
    pub tags: Tags,
}

impl Resource for ApiKey {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::ApiKey"
    }

    fn properties(self) -> Json {
        Fields::new().with("Name", self.name).with("Enabled", true).with("Tags", self.tags).into()
    }
}

/// `AWS::ApiGateway::UsagePlan`: how often each key may be used.
#[derive(Debug)]
pub struct UsagePlan {
    /// Its name.
    pub name: String,
    /// Of which API.
    pub api: Ref<RestApi>,
    /// At which stage.
    pub stage: Ref<Stage>,
    /// Requests in a day.
    pub per_day_max: u32,
    /// Tags.
    pub tags: Tags,
}

impl Resource for UsagePlan {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlan"
    }

    fn properties(self) -> Json {
        let stage = Json::object([("ApiId", self.api.into()), ("Stage", self.stage.into())]);
        let quota = Json::object([("Limit", self.per_day_max.into()), ("Period", "DAY".into())]);
        Fields::new()
            .with("UsagePlanName", self.name)
            .with("ApiStages", Json::List(vec![stage]))
            .with("Quota", quota)
            .with("Tags", self.tags)
            .into()
    }
}

/// `AWS::ApiGateway::UsagePlanKey`: a key is under a plan.
#[derive(Debug)]
pub struct UsagePlanKey {
    /// The key.
    pub key: Ref<ApiKey>,
    /// The plan.
    pub plan: Ref<UsagePlan>,
}

impl Resource for UsagePlanKey {
    fn kind(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlanKey"
    }

    fn properties(self) -> Json {
        Fields::new().with("KeyId", self.key).with("KeyType", "API_KEY").with("UsagePlanId", self.plan).into()
    }
}

/// The ARN of a method as permissions name it.
pub fn method_arn(api: &str, stage: &str, method: &str, path: &str) -> Text {
    Text::substituted(format!(
        "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/{stage}/{method}{path}"
    ))
}
