//! A template as the checks look at it: resources by id, and every ARN in one form, however it was written.

use crate::json::Json;

/// A template.
pub(super) struct Model<'a> {
    pub template: &'a Json,
    pub resources: Vec<Resource<'a>>,
    /// What an ARN that is put together begins with, and the resource that has the name.
    composed: Vec<(String, &'a str)>,
}

/// A resource.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub entry: &'a Json,
}

impl<'a> Resource<'a> {
    /// A property, by its path.
    pub fn at(&self, path: &str) -> Option<&'a Json> {
        self.entry.get("Properties")?.at(path)
    }

    /// A property that is a text.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.at(path)?.text()
    }

    /// What is in a list, if it is there.
    pub fn list(&self, path: &str) -> &'a [Json] {
        self.at(path).map(Json::values).unwrap_or_default()
    }
}

/// A statement of a policy.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub allows: bool,
    pub principal: Option<&'a Json>,
    pub actions: Vec<&'a str>,
    /// ARNs in one form.
    pub resources: Vec<String>,
    pub condition: Option<&'a Json>,
}

impl<'a> Model<'a> {
    pub fn of(template: &'a Json) -> Self {
        let resources: Vec<Resource<'a>> = template
            .get("Resources")
            .map(Json::fields)
            .unwrap_or_default()
            .iter()
            .map(|(id, entry)| Resource { id, kind: entry.get("Type").and_then(Json::text).unwrap_or_default(), entry })
            .collect();
        let composed = resources.iter().filter_map(|resource| Some((composed_arn(resource)?, resource.id))).collect();
        Self { template, resources, composed }
    }

    pub fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = Resource<'a>> {
        self.resources.iter().copied().filter(move |resource| resource.kind == kind)
    }

    pub fn get(&self, id: &str) -> Option<Resource<'a>> {
        self.resources.iter().copied().find(|resource| resource.id == id)
    }

    /// A value in one form: `${Id.Arn}` for the ARN of a resource of the template, with what follows it.
    pub fn arn(&self, value: &Json) -> String {
        let text = plain(value);
        if let Some(id) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
            && let Some(resource) = self.get(id)
            && ["AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"].contains(&resource.kind)
        {
            // of these, the reference is the ARN
            return format!("${{{id}.Arn}}");
        }
        for (prefix, id) in &self.composed {
            if let Some(rest) = text.strip_prefix(prefix.as_str())
                && (rest.is_empty() || rest.starts_with(['/', ':']))
            {
                return format!("${{{id}.Arn}}{rest}");
            }
        }
        text
    }

    /// The resource that a value is the ARN, the reference or another attribute of.
    pub fn resource(&self, value: &Json) -> Option<Resource<'a>> {
        let text = self.arn(value);
        let inside = text.strip_prefix("${")?.split(['}', '.']).next()?;
        self.get(inside)
    }

    /// The statements of a document.
    pub fn statements(&self, document: Option<&'a Json>) -> Vec<Statement<'a>> {
        let statements = document.and_then(|document| document.get("Statement")).map(Json::values).unwrap_or_default();
        let read = |statement: &'a Json| Statement {
            allows: statement.get("Effect").and_then(Json::text) == Some("Allow"),
            principal: statement.get("Principal"),
            actions: values(statement, "Action").iter().filter_map(Json::text).collect(),
            resources: values(statement, "Resource").iter().map(|resource| self.arn(resource)).collect(),
            condition: statement.get("Condition"),
        };
        statements.iter().map(read).collect()
    }

    /// The statements of the policies of a role.
    pub fn rights(&self, role: Resource<'a>) -> Vec<Statement<'a>> {
        let policies = role.list("Policies").iter();
        policies.flat_map(|policy| self.statements(policy.get("PolicyDocument"))).collect()
    }

    /// Whether a role may do this: something allows it, and nothing denies it.
    pub fn may(&self, role: Resource<'a>, action: &str, on: &str) -> bool {
        let rights = self.rights(role);
        let matches = |statement: &&Statement<'_>| {
            statement.actions.iter().any(|pattern| glob(pattern, action))
                && statement.resources.iter().any(|pattern| glob(pattern, on))
        };
        let mut fitting = rights.iter().filter(matches).peekable();
        fitting.peek().is_some() && fitting.all(|statement| statement.allows)
    }
}

fn values<'a>(statement: &'a Json, key: &str) -> &'a [Json] {
    statement.get(key).map(Json::values).unwrap_or_default()
}

/// A value as one text: references as `${Id}` and `${Id.Attribute}`. What is chosen by a condition is its first choice.
pub(crate) fn plain(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        Json::Object(fields) => match fields.as_slice() {
            [(key, Json::Text(text))] if key == "Ref" => format!("${{{text}}}"),
            [(key, Json::Text(text))] if key == "Fn::Sub" => text.clone(),
            [(key, Json::List(path))] if key == "Fn::GetAtt" => {
                let path: Vec<&str> = path.iter().filter_map(Json::text).collect();
                format!("${{{}}}", path.join("."))
            }
            [(key, Json::List(choice))] if key == "Fn::If" => choice.get(1).map(plain).unwrap_or_default(),
            _ => value.compact(),
        },
        _ => value.compact(),
    }
}

/// What the ARN of a resource is when it is put together from its name.
fn composed_arn(resource: &Resource<'_>) -> Option<String> {
    let (name, rest) = match resource.kind {
        "AWS::S3::Bucket" => (resource.text("BucketName")?, "s3:::"),
        "AWS::SQS::Queue" => (resource.text("QueueName")?, "sqs:${AWS::Region}:${AWS::AccountId}:"),
        "AWS::DynamoDB::Table" => (resource.text("TableName")?, "dynamodb:${AWS::Region}:${AWS::AccountId}:table/"),
        "AWS::Lambda::Function" => {
            (resource.text("FunctionName")?, "lambda:${AWS::Region}:${AWS::AccountId}:function:")
        }
        "AWS::Logs::LogGroup" => (resource.text("LogGroupName")?, "logs:${AWS::Region}:${AWS::AccountId}:log-group:"),
        _ => return None,
    };
    Some(format!("arn:${{AWS::Partition}}:{rest}{name}"))
}

/// Whether a pattern with `*` for any text matches.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    if rest.is_empty() {
        return true;
    }
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| glob(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        for (pattern, text, is) in [
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("*", "", true),
            ("a/*/b", "a/x/y/b", true),
            ("a/*/b", "a/x/y/c", false),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), is, "{pattern} {text}");
        }
    }
}
