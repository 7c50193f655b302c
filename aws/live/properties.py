"""What the cloud says about the resources of a stack, in the words of a template.

For each type a function that asks the service itself, not CloudFormation. A property that the service does not tell is
left out, and so counts as dropped.
"""

import json

from botocore.exceptions import ClientError

from template import ACCOUNT, REGION


def attribute(cloud, kind, physical, name):
    """`Fn::GetAtt`."""
    arn = f'arn:aws:%s:{REGION}:{ACCOUNT}:%s'
    if kind == 'AWS::SQS::Queue':
        queue = physical.rsplit('/', 1)[-1]
        return queue if name == 'QueueName' else arn % ('sqs', queue)
    if kind == 'AWS::IAM::Role':
        return cloud.client('iam').get_role(RoleName=physical)['Role']['Arn']
    if kind == 'AWS::ApiGateway::RestApi':
        items = cloud.client('apigateway').get_resources(restApiId=physical)['items']
        return next(one['id'] for one in items if one['path'] == '/')
    if kind == 'AWS::Logs::LogGroup':
        return arn % ('logs', f'log-group:{physical}:*')
    if kind == 'AWS::Events::Rule':
        return rule_arn(cloud, physical.rsplit('|', 1)[-1])
    services = {'AWS::DynamoDB::Table': ('dynamodb', 'table/'), 'AWS::Lambda::Function': ('lambda', 'function:'),
                'AWS::Events::EventBus': ('events', 'event-bus/')}
    service, before = services[kind]
    return arn % (service, before + physical)


def rule_arn(cloud, name):
    """The ARN of a rule, which has its bus in it unless that is the default one."""
    events = cloud.client('events')
    buses = [bus['Name'] for bus in events.list_event_buses()['EventBuses']]
    found = (asked(events.describe_rule, 'Arn', Name=name, EventBusName=bus) for bus in buses)
    return next((arn for arn in found if arn), None)


def asked(call, *keys, **arguments):
    """What a call answers, below these keys; nothing if the service has nothing to answer."""
    try:
        found = call(**arguments)
    except ClientError as error:
        if error.response['Error']['Code'] in ('AccessDenied', 'AccessDeniedException'):
            raise
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def tags(found):
    return [{'Key': key, 'Value': value} for key, value in (found or {}).items()]


def capital(found):
    """`responseParameters` as `ResponseParameters`, and so on all the way down, but for keys that are data."""
    if isinstance(found, list):
        return [capital(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {key[:1].upper() + key[1:]: one if key in DATA else capital(one) for key, one in found.items()}


DATA = ('responseParameters', 'responseTemplates', 'requestParameters', 'requestTemplates', 'requestModels',
        'responseModels', 'schema')


def bucket(cloud, name, _):
    s3 = cloud.client('s3')
    notifications = asked(s3.get_bucket_notification_configuration, Bucket=name) or {}
    lambdas = [{'Event': event, 'Function': one['LambdaFunctionArn']}
               for one in notifications.get('LambdaFunctionConfigurations', []) for event in one['Events']]
    rules = asked(s3.get_bucket_lifecycle_configuration, 'Rules', Bucket=name)
    metrics = asked(s3.list_bucket_metrics_configurations, 'MetricsConfigurationList', Bucket=name)
    return {
        'BucketName': name,
        'VersioningConfiguration': asked(s3.get_bucket_versioning, Bucket=name),
        'BucketEncryption': {'ServerSideEncryptionConfiguration': [
            {'ServerSideEncryptionByDefault': rule.get('ApplyServerSideEncryptionByDefault')} for rule in
            asked(s3.get_bucket_encryption, 'ServerSideEncryptionConfiguration', 'Rules', Bucket=name) or []]},
        'PublicAccessBlockConfiguration': asked(s3.get_public_access_block, 'PublicAccessBlockConfiguration',
                                                Bucket=name),
        'OwnershipControls': asked(s3.get_bucket_ownership_controls, 'OwnershipControls', Bucket=name),
        'LifecycleConfiguration': rules and {'Rules': [lifecycle(rule) for rule in rules]},
        'NotificationConfiguration': {
            'LambdaConfigurations': lambdas,
            'EventBridgeConfiguration': {'EventBridgeEnabled': 'EventBridgeConfiguration' in notifications}},
        'MetricsConfigurations': metrics,
        'Tags': asked(s3.get_bucket_tagging, 'TagSet', Bucket=name),
    }


def lifecycle(rule):
    """A rule in the words of a template, which are not quite those of the service."""
    days = [('Transitions', 'Days'), ('NoncurrentVersionTransitions', 'NoncurrentDays')]
    rule = dict(rule, Id=rule.get('ID'))
    for name, key in days:
        rule[name] = [{'StorageClass': one['StorageClass'], 'TransitionInDays': one.get(key)}
                      for one in rule.get(name, [])]
    rule['ExpirationInDays'] = rule.get('Expiration', {}).get('Days')
    rule['ExpiredObjectDeleteMarker'] = rule.get('Expiration', {}).get('ExpiredObjectDeleteMarker')
    expiration = rule.get('NoncurrentVersionExpiration') or {}
    rule['NoncurrentVersionExpiration'] = {'NoncurrentDays': expiration.get('NoncurrentDays')}
    return rule


def bucket_policy(cloud, _, declared):
    policy = asked(cloud.client('s3').get_bucket_policy, 'Policy', Bucket=declared['Bucket'])
    return {'Bucket': declared['Bucket'], 'PolicyDocument': policy}


def table(cloud, name, declared):
    dynamo = cloud.client('dynamodb')
    found = asked(dynamo.describe_table, 'Table', TableName=name) or {}
    ttl = asked(dynamo.describe_time_to_live, 'TimeToLiveDescription', TableName=name) or {}
    backups = asked(dynamo.describe_continuous_backups, 'ContinuousBackupsDescription', 'PointInTimeRecoveryDescription',
                    TableName=name) or {}
    insights = asked(dynamo.describe_contributor_insights, 'ContributorInsightsStatus', TableName=name)
    arn = found.get('TableArn')
    return {
        'TableName': found.get('TableName'), 'KeySchema': found.get('KeySchema'),
        'AttributeDefinitions': found.get('AttributeDefinitions'),
        'GlobalSecondaryIndexes': found.get('GlobalSecondaryIndexes'),
        'BillingMode': found.get('BillingModeSummary', {}).get('BillingMode'),
        'TimeToLiveSpecification': {'AttributeName': ttl.get('AttributeName'),
                                    'Enabled': ttl.get('TimeToLiveStatus') == 'ENABLED'},
        'PointInTimeRecoverySpecification': {
            'PointInTimeRecoveryEnabled': backups.get('PointInTimeRecoveryStatus') == 'ENABLED'},
        'SSESpecification': {'SSEEnabled': found.get('SSEDescription', {}).get('Status') == 'ENABLED'},
        'ContributorInsightsSpecification': {'Enabled': insights in ('ENABLED', 'ENABLING')},
        'ResourcePolicy': {'PolicyDocument': asked(dynamo.get_resource_policy, 'Policy', ResourceArn=arn)},
        'Tags': asked(dynamo.list_tags_of_resource, 'Tags', ResourceArn=arn),
    }


def queue(cloud, url, _):
    sqs = cloud.client('sqs')
    found = asked(sqs.get_queue_attributes, 'Attributes', QueueUrl=url, AttributeNames=['All']) or {}
    found = {key: json.loads(value) if key.startswith('Redrive') else value for key, value in found.items()}
    return found | {'QueueName': url.rsplit('/', 1)[-1], 'Tags': tags(asked(sqs.list_queue_tags, 'Tags', QueueUrl=url))}


def queue_policy(cloud, _, declared):
    found = asked(cloud.client('sqs').get_queue_attributes, 'Attributes', 'Policy', QueueUrl=declared['Queues'][0],
                  AttributeNames=['Policy'])
    return {'Queues': declared['Queues'], 'PolicyDocument': found}


def log_group(cloud, name, _):
    logs = cloud.client('logs')
    groups = asked(logs.describe_log_groups, 'logGroups', logGroupNamePrefix=name) or []
    found = next((one for one in groups if one['logGroupName'] == name), {})
    arn = found.get('arn', '').removesuffix(':*')
    return {'LogGroupName': found.get('logGroupName'), 'RetentionInDays': found.get('retentionInDays'),
            'Tags': tags(asked(logs.list_tags_for_resource, 'tags', resourceArn=arn) if arn else None)}


def log_policy(cloud, _, declared):
    policies = asked(cloud.client('logs').describe_resource_policies, 'resourcePolicies') or []
    found = next((one for one in policies if one['policyName'] == declared['PolicyName']), {})
    return {'PolicyName': found.get('policyName'), 'PolicyDocument': json.loads(found.get('policyDocument', 'null'))}


def metric_filter(cloud, _, declared):
    filters = asked(cloud.client('logs').describe_metric_filters, 'metricFilters',
                    logGroupName=declared['LogGroupName']) or []
    found = next((one for one in filters if one['filterName'] == declared['FilterName']), {})
    return capital(found)


def role(cloud, name, _):
    iam = cloud.client('iam')
    found = asked(iam.get_role, 'Role', RoleName=name) or {}
    names = asked(iam.list_role_policies, 'PolicyNames', RoleName=name) or []
    policies = [{'PolicyName': one, 'PolicyDocument': asked(iam.get_role_policy, 'PolicyDocument', RoleName=name,
                                                            PolicyName=one)} for one in names]
    attached = asked(iam.list_attached_role_policies, 'AttachedPolicies', RoleName=name) or []
    return {'RoleName': found.get('RoleName'), 'AssumeRolePolicyDocument': found.get('AssumeRolePolicyDocument'),
            'Policies': policies, 'ManagedPolicyArns': [one['PolicyArn'] for one in attached],
            'Tags': asked(iam.list_role_tags, 'Tags', RoleName=name)}


def function(cloud, name, declared):
    client = cloud.client('lambda')
    answer = asked(client.get_function, FunctionName=name) or {}
    found = answer.get('Configuration', {})
    # Where the code came from is told by nobody, only that there is some.
    code = declared['Code'] if found.get('CodeSize', 0) > 100_000 else None
    return found | {'Code': code, 'Tags': tags(answer.get('Tags'))}


def permission(cloud, _, declared):
    name = declared['FunctionName'].rsplit(':', 1)[-1]
    policy = asked(cloud.client('lambda').get_policy, 'Policy', FunctionName=name)
    for one in json.loads(policy or '{}').get('Statement', []):
        conditions = {key.lower(): value for test in one.get('Condition', {}).values() for key, value in test.items()}
        found = {'FunctionName': declared['FunctionName'], 'Action': one['Action'],
                 'Principal': one['Principal'].get('Service') if isinstance(one['Principal'], dict) else one['Principal'],
                 'SourceArn': conditions.get('aws:sourcearn'), 'SourceAccount': conditions.get('aws:sourceaccount')}
        if found['SourceArn'] == declared.get('SourceArn') and found['Principal'] == declared['Principal']:
            return found
    return {}


def invoke_config(cloud, _, declared):
    found = asked(cloud.client('lambda').get_function_event_invoke_config, FunctionName=declared['FunctionName'],
                  Qualifier=declared['Qualifier']) or {}
    return found | {'FunctionName': declared['FunctionName'], 'Qualifier': found.get('FunctionArn', '').rsplit(':', 1)[-1]}


def mapping(cloud, physical, declared):
    client = cloud.client('lambda')
    found = asked(client.get_event_source_mapping, UUID=physical) or {}
    name = found.get('FunctionArn', '')
    is_it = name == declared['FunctionName'] or name.rsplit(':', 1)[-1] == declared['FunctionName']
    arn = found.get('EventSourceMappingArn', f'arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{physical}')
    return found | {'FunctionName': declared['FunctionName'] if is_it else name,
                    'Tags': tags(asked(client.list_tags, 'Tags', Resource=arn))}


def rest_api(cloud, physical, _):
    found = asked(cloud.client('apigateway').get_rest_api, restApiId=physical) or {}
    return capital(found) | {'Tags': tags(found.get('tags'))}


def of_api(operation, **keys):
    """What API Gateway says of one thing; `keys` says which property is which argument, `''` the physical id."""
    def read(cloud, physical, declared):
        arguments = {argument: physical if key == '' else declared[key] for argument, key in keys.items()}
        found = asked(getattr(cloud.client('apigateway'), operation), **arguments) or {}
        return capital(found) | {'RestApiId': declared.get('RestApiId'), 'Tags': tags(found.get('tags'))}
    return read


def api_method(cloud, _, declared):
    keys = {'restApiId': declared['RestApiId'], 'resourceId': declared['ResourceId'], 'httpMethod': declared['HttpMethod']}
    found = asked(cloud.client('apigateway').get_method, **keys) or {}
    integration = found.pop('methodIntegration', {})
    integration['IntegrationHttpMethod'] = integration.pop('httpMethod', None)
    responses = capital(list(integration.pop('integrationResponses', {}).values()))
    method_responses = capital(list(found.pop('methodResponses', {}).values()))
    return capital(found) | {'RestApiId': keys['restApiId'], 'ResourceId': keys['resourceId'],
                             'Integration': capital(integration) | {'IntegrationResponses': responses},
                             'MethodResponses': method_responses}


def api_stage(cloud, physical, declared):
    found = asked(cloud.client('apigateway').get_stage, restApiId=declared['RestApiId'],
                  stageName=declared['StageName']) or {}
    settings = [dict(capital(one), ResourcePath='/' + path.rsplit('/', 1)[0].replace('~1', '/').strip('/'),
                     HttpMethod=path.rsplit('/', 1)[1]) for path, one in found.get('methodSettings', {}).items()]
    return capital(found) | {'RestApiId': declared['RestApiId'], 'MethodSettings': settings,
                             'Tags': tags(found.get('tags'))}


def api_account(cloud, *_):
    return {'CloudWatchRoleArn': asked(cloud.client('apigateway').get_account, 'cloudwatchRoleArn')}


def api_usage_plan(cloud, physical, _):
    found = asked(cloud.client('apigateway').get_usage_plan, usagePlanId=physical) or {}
    stages = [{'ApiId': one['apiId'], 'Stage': one['stage']} for one in found.get('apiStages', [])]
    return capital(found) | {'UsagePlanName': found.get('name'), 'ApiStages': stages, 'Tags': tags(found.get('tags'))}


def api_usage_plan_key(cloud, _, declared):
    found = asked(cloud.client('apigateway').get_usage_plan_key, usagePlanId=declared['UsagePlanId'],
                  keyId=declared['KeyId']) or {}
    return {'UsagePlanId': declared['UsagePlanId'], 'KeyId': found.get('id'), 'KeyType': found.get('type')}


def alarm(cloud, name, _):
    watch = cloud.client('cloudwatch')
    found = (asked(watch.describe_alarms, 'MetricAlarms', AlarmNames=[name]) or [{}])[0]
    return found | {'Tags': asked(watch.list_tags_for_resource, 'Tags', ResourceARN=found.get('AlarmArn', ''))}


def event_bus(cloud, name, _):
    events = cloud.client('events')
    found = asked(events.describe_event_bus, Name=name) or {}
    return found | {'Tags': asked(events.list_tags_for_resource, 'Tags', ResourceARN=found.get('Arn', ''))}


def rule(cloud, _, declared):
    events = cloud.client('events')
    where = {'EventBusName': declared['EventBusName']} if 'EventBusName' in declared else {}
    found = asked(events.describe_rule, Name=declared['Name'], **where) or {}
    targets = asked(events.list_targets_by_rule, 'Targets', Rule=declared['Name'], **where)
    return found | {'Targets': targets, 'Tags': asked(events.list_tags_for_resource, 'Tags',
                                                      ResourceARN=found.get('Arn', ''))}


def topic(cloud, arn, _):
    sns = cloud.client('sns')
    found = asked(sns.get_topic_attributes, 'Attributes', TopicArn=arn) or {}
    return found | {'TopicName': arn.rsplit(':', 1)[-1], 'Tags': asked(sns.list_tags_for_resource, 'Tags', ResourceArn=arn)}


def topic_policy(cloud, _, declared):
    policy = asked(cloud.client('sns').get_topic_attributes, 'Attributes', 'Policy', TopicArn=declared['Topics'][0])
    return {'Topics': declared['Topics'], 'PolicyDocument': policy}


def workflow(cloud, arn, declared):
    states = cloud.client('stepfunctions')
    found = asked(states.describe_state_machine, stateMachineArn=arn) or {}
    given = found.get('tags') or asked(states.list_tags_for_resource, 'tags', resourceArn=arn) or []
    # What is substituted is seen in the definition itself.
    text = json.dumps(declared['Definition'])
    for name, value in declared.get('DefinitionSubstitutions', {}).items():
        text = text.replace('${%s}' % name, str(value))
    is_it = json.loads(text) == json.loads(found.get('definition', 'null'))
    return {'StateMachineName': found.get('name'), 'StateMachineType': found.get('type'), 'RoleArn': found.get('roleArn'),
            'Definition': declared['Definition'] if is_it else None,
            'DefinitionSubstitutions': declared.get('DefinitionSubstitutions') if is_it else None,
            'LoggingConfiguration': capital(found.get('loggingConfiguration')),
            'TracingConfiguration': capital(found.get('tracingConfiguration')),
            'Tags': [{'Key': one['key'], 'Value': one['value']} for one in given]}




READ = {
    'AWS::S3::Bucket': bucket, 'AWS::S3::BucketPolicy': bucket_policy, 'AWS::DynamoDB::Table': table,
    'AWS::SQS::Queue': queue, 'AWS::SQS::QueuePolicy': queue_policy, 'AWS::Logs::LogGroup': log_group,
    'AWS::Logs::ResourcePolicy': log_policy, 'AWS::Logs::MetricFilter': metric_filter, 'AWS::IAM::Role': role,
    'AWS::Lambda::Function': function, 'AWS::Lambda::Permission': permission,
    'AWS::Lambda::EventInvokeConfig': invoke_config, 'AWS::Lambda::EventSourceMapping': mapping,
    'AWS::ApiGateway::RestApi': rest_api,
    'AWS::ApiGateway::RequestValidator': of_api('get_request_validator', restApiId='RestApiId', requestValidatorId=''),
    'AWS::ApiGateway::Resource': of_api('get_resource', restApiId='RestApiId', resourceId=''),
    'AWS::ApiGateway::Method': api_method,
    'AWS::ApiGateway::GatewayResponse': of_api('get_gateway_response', restApiId='RestApiId',
                                               responseType='ResponseType'),
    'AWS::ApiGateway::Deployment': of_api('get_deployment', restApiId='RestApiId', deploymentId=''),
    'AWS::ApiGateway::Model': of_api('get_model', restApiId='RestApiId', modelName='Name'),
    'AWS::ApiGateway::ApiKey': of_api('get_api_key', apiKey=''),
    'AWS::ApiGateway::Account': api_account, 'AWS::ApiGateway::Stage': api_stage,
    'AWS::ApiGateway::UsagePlan': api_usage_plan, 'AWS::ApiGateway::UsagePlanKey': api_usage_plan_key,
    'AWS::CloudWatch::Alarm': alarm, 'AWS::Events::EventBus': event_bus, 'AWS::Events::Rule': rule,
    'AWS::SNS::Topic': topic, 'AWS::SNS::TopicPolicy': topic_policy, 'AWS::StepFunctions::StateMachine': workflow,
}
