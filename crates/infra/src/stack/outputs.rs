//! What a stack tells of itself: names, URLs and ARNs. Deploying writes them to `cfn-outputs/flat-outputs.json`.

use pipeline::preset::Preset;
use pipeline::topology::Access;

use super::Stack;
use crate::names::camel;
use crate::reference::Text;

pub(super) fn add(stack: &mut Stack<'_>) {
    let topology = stack.topology;
    let mut outputs: Vec<(String, &'static str, Text)> = vec![
        ("bucketName".to_owned(), "The bucket that files are uploaded to", stack.named(topology.bucket.name).into()),
        (
            "resultsBucketName".to_owned(),
            "The bucket with what became of them",
            stack.named(topology.results.name).into(),
        ),
    ];
    for route in topology.routes.iter().filter(|route| !route.path.contains('{')) {
        outputs.push(("apiEndpoint".to_owned(), "The URL of the API", stack.url(route.path)));
        if route.access == Access::ApiKey {
            let id = stack.api_key().reference();
            outputs.push(("apiKeyId".to_owned(), "The id of the first API key, not the key itself", id.into()));
        }
    }
    for function in &topology.functions {
        let name = format!("{}FunctionName", camel(function.name));
        outputs.push((name, "The name of the function", stack.function(function.name).reference().into()));
    }
    for table in &topology.tables {
        let name = format!("{}TableName", camel(table.name));
        outputs.push((name, "The name of the table", stack.table(table).reference().into()));
    }
    for queue in &topology.queues {
        let name = camel(queue.name);
        let name = if name.ends_with("Queue") { name } else { name + "Queue" };
        outputs.push((format!("{name}Url"), "The URL of the queue", stack.queue(queue.name).reference().into()));
    }
    if let Some(bus) = topology.bus {
        outputs.push(("eventBusName".to_owned(), "The name of the event bus", stack.bus(bus).reference().into()));
    }
    if let Some(topic) = topology.topic {
        outputs.push(("topicArn".to_owned(), "The ARN of the topic", stack.topic(topic).reference().into()));
    }
    if let Some(workflow) = &topology.workflow {
        let arn = stack.workflow(workflow).reference();
        outputs.push(("workflowArn".to_owned(), "The ARN of the workflow", arn.into()));
    }
    outputs.extend(aliases(stack));
    for (name, description, value) in outputs {
        stack.template.output(&name, description, value);
    }
}

/// Names under which the requirements ask for some of them too.
fn aliases(stack: &Stack<'_>) -> Vec<(String, &'static str, Text)> {
    let function = |name: &str| Text::from(stack.function(name).reference());
    let queue = |name: &str| Text::from(stack.queue(name).reference());
    let topology = stack.topology;
    let aliases: Vec<(&str, &'static str, Text)> = match topology.preset {
        Preset::Files => vec![
            ("validatorFunctionName", "As fileValidatorFunctionName", function("file-validator")),
            ("processorFunctionName", "As dataProcessorFunctionName", function("data-processor")),
            ("aggregatorFunctionName", "As resultAggregatorFunctionName", function("result-aggregator")),
            (
                "processingTableName",
                "As processingStatusTableName",
                stack.table(&topology.tables[0]).reference().into(),
            ),
            ("validatorQueueUrl", "As validatorToProcessorQueueUrl", queue("validator-to-processor")),
            ("processorQueueUrl", "As processorToAggregatorQueueUrl", queue("processor-to-aggregator")),
        ],
        Preset::Market => vec![
            ("apiGatewayUrl", "As apiEndpoint", stack.url("/ingest")),
            ("s3BucketName", "As bucketName", stack.named(topology.bucket.name).into()),
            ("dynamodbTableArn", "The ARN of the table of rows", stack.table(&topology.tables[0]).arn().into()),
        ],
        Preset::Transactions => Vec::new(),
    };
    aliases.into_iter().map(|(name, description, value)| (name.to_owned(), description, value)).collect()
}
