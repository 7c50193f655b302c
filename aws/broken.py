"""Breaks the templates on purpose, one thing at a time, and sees that the rule about it fails.

    aws/broken.py CFN_GUARD TEMPLATES

A rule that no broken template makes fail proves nothing, so every rule of aws/rules must be broken here.
"""

import concurrent.futures
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent
# every preset is checked against its own rules and those of all
PRESETS = ["files", "market", "transactions"]

# preset, rule that must fail, path to what is broken, and what it becomes (None takes it out)
BROKEN = [
    ("files", "nothing_is_retained", "FileProcessingBucket/DeletionPolicy", "Retain"),
    ("files", "nothing_is_retained", "ProcessingStatusTable/UpdateReplacePolicy", "Snapshot"),
    ("files", "nothing_is_retained", "ValidatorDlq/DeletionPolicy", None),
    ("files", "logs_are_kept_for_7_days", "FileValidatorLogGroup/Properties/RetentionInDays", 14),
    ("market", "logs_are_kept_for_7_days", "DataIngestionLogGroup/Properties/RetentionInDays", None),
    ("files", "every_function_has_its_log_group", "StatusQueryFunction/Properties/LoggingConfig", None),
    ("files", "functions_run_bootstrap", "StatusQueryFunction/Properties/Runtime", "go1.x"),
    ("market", "everything_is_traced", "DataIngestionFunction/Properties/TracingConfig/Mode", "PassThrough"),
    ("files", "everything_is_traced", "ProcessingApiStage/Properties/TracingEnabled", False),
    ("files", "names_end_with_the_environment", "FileProcessingBucket/Properties/BucketName", "file-processing-bucket"),
    ("files", "names_end_with_the_environment", "ValidatorToProcessorQueue/Properties/QueueName", "queue.fifo"),
    ("files", "names_end_with_the_environment", "FileValidatorRole/Properties/RoleName", "file-validator-role"),
    ("files", "names_end_with_the_environment", "StatusQueryLogGroup/Properties/LogGroupName", "/aws/lambda/status"),
    ("market", "names_end_with_the_environment", "MarketEventsBus/Properties/Name", "market-events"),
    ("transactions", "names_end_with_the_environment", "TransactionNotificationsTopic/Properties/TopicName", "topic"),
    ("files", "buckets_are_versioned_and_encrypted",
     "FileProcessingBucket/Properties/VersioningConfiguration/Status", "Suspended"),
    ("transactions", "buckets_are_versioned_and_encrypted", "TransactionsBucket/Properties/BucketEncryption", None),
    ("files", "buckets_are_closed_to_the_public",
     "FileProcessingBucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
    ("files", "everything_at_rest_takes_tls_only",
     "FileProcessingBucketPolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow"),
    ("files", "everything_at_rest_takes_tls_only",
     "ValidatorDlqPolicy/Properties/PolicyDocument/Statement/0/Condition", None),
    ("market", "everything_at_rest_takes_tls_only", "MarketDataStateTable/Properties/ResourcePolicy", None),
    ("files", "queues_are_encrypted", "AggregatorDlq/Properties/SqsManagedSseEnabled", False),
    ("files", "tables_are_on_demand_restorable_and_encrypted",
     "ProcessingStatusTable/Properties/BillingMode", "PROVISIONED"),
    ("market", "tables_are_on_demand_restorable_and_encrypted",
     "MarketDataStateTable/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled", False),
    ("transactions", "tables_are_on_demand_restorable_and_encrypted",
     "TransactionsTable/Properties/SSESpecification", None),
    ("files", "messages_are_dead_after_3_receives",
     "ValidatorToProcessorQueue/Properties/RedrivePolicy/maxReceiveCount", 5),
    ("market", "messages_are_dead_after_3_receives", "ProcessingQueue/Properties/RedrivePolicy", None),
    ("files", "dead_letters_are_kept_for_14_days", "ProcessorDlq/Properties/MessageRetentionPeriod", 345600),
    ("files", "calls_nobody_waits_for_are_tried_3_times",
     "FileValidatorInvokeConfig/Properties/MaximumRetryAttempts", 0),
    ("market", "calls_nobody_waits_for_are_tried_3_times",
     "DataAggregatorInvokeConfig/Properties/DestinationConfig", None),
    ("files", "batches_tell_which_messages_failed",
     "ValidatorToProcessorQueueMapping/Properties/FunctionResponseTypes", None),
    ("market", "batches_tell_which_messages_failed", "ProcessingQueueMapping/Properties/BatchSize", 1),
    ("files", "roles_allow_no_wildcard_action",
     "StatusQueryRole/Properties/Policies/0/PolicyDocument/Statement/0/Action/0", "logs:*"),
    ("files", "functions_may_not_destroy", "StatusQueryRole/Properties/Policies", None),
    ("files", "requests_are_logged_and_measured", "ProcessingApiStage/Properties/AccessLogSetting", None),
    ("market", "dead_letters_are_watched", "ProcessingDLQDepthAlarm", None),
    ("files", "files_functions_have_512_mb", "DataProcessorFunction/Properties/MemorySize", 1024),
    ("files", "files_functions_have_300_seconds", "DataProcessorFunction/Properties/Timeout", 60),
    ("files", "files_functions_have_300_seconds", "StatusQueryFunction/Properties/Timeout", 300),
    ("files", "files_go_to_glacier_after_90_days",
     "FileProcessingBucket/Properties/LifecycleConfiguration/Rules/0/Transitions/0/TransitionInDays", 30),
    ("files", "files_go_to_glacier_after_90_days",
     "FileProcessingBucket/Properties/LifecycleConfiguration/Rules/0/Status", "Disabled"),
    ("files", "files_set_the_validator_to_work", "FileProcessingBucket/Properties/NotificationConfiguration", None),
    ("files", "files_keep_and_tell_what_the_validator_gave_up",
     "FileValidatorFunction/Properties/DeadLetterConfig", None),
    ("files", "files_keep_and_tell_what_the_validator_gave_up",
     "FileValidatorInvokeConfig/Properties/DestinationConfig/OnFailure/Destination/Fn::GetAtt/0", "ValidatorDlq"),
    ("files", "files_queues_keep_order", "ProcessorToAggregatorQueue/Properties/FifoQueue", None),
    ("files", "files_queues_wait_for_functions", "ValidatorToProcessorQueue/Properties/VisibilityTimeout", 300),
    ("files", "files_has_3_dead_letter_queues", "AggregatorDlq", None),
    ("files", "files_api_takes_1000_requests_a_second",
     "ProcessingApiStage/Properties/MethodSettings/0/ThrottlingRateLimit", 2000),
    ("files", "files_api_takes_1000_requests_a_second",
     "ProcessingApiStage/Properties/MethodSettings/0/ThrottlingBurstLimit", None),
    ("files", "files_api_has_cors", "OptionsStatusMethod+OptionsStatusProxyMethod", None),
    ("files", "files_status_expires", "ProcessingStatusTable/Properties/TimeToLiveSpecification", None),
    ("files", "files_has_detailed_metrics", "FileProcessingBucket/Properties/MetricsConfigurations", None),
    ("files", "files_is_tagged", "ValidatorDlq/Properties/Tags", None),
    ("files", "files_is_tagged", "FileProcessingBucket/Properties/Tags/0/Value", "dev"),
    ("market", "market_functions_have_3072_mb_and_300_seconds", "DataIngestionFunction/Properties/MemorySize", 512),
    ("market", "market_files_expire_after_30_days",
     "MarketDataBucket/Properties/LifecycleConfiguration/Rules/0/ExpirationInDays", 31),
    ("market", "market_queue_keeps_messages_for_4_days", "ProcessingQueue/Properties/MessageRetentionPeriod", 60),
    ("market", "market_table_is_by_symbol_and_time",
     "MarketDataStateTable/Properties/AttributeDefinitions/1/AttributeType", "S"),
    ("market", "market_keeps_and_tells_what_ingestion_gave_up",
     "DataIngestionFunction/Properties/DeadLetterConfig", None),
    ("market", "market_ingest_is_signed", "PostIngestMethod/Properties/AuthorizationType", "NONE"),
    ("market", "market_api_takes_10000_requests_a_second",
     "MarketApiStage/Properties/MethodSettings/0/ThrottlingBurstLimit", 5000),
    ("market", "market_aggregates_every_5_minutes", "AggregateSchedule/Properties/ScheduleExpression", "rate(1 hour)"),
    ("market", "market_has_an_event_bus", "MarketEventsBus", None),
    ("market", "market_counts_errors_in_logs", "DataIngestionErrorFilter/Properties/FilterPattern", "ERROR"),
    ("market", "market_counts_errors_in_logs", "DataIngestionErrorFilter", None),
    ("market", "market_is_tagged", "ProcessingQueue/Properties/Tags/1/Value", "Other"),
    ("transactions", "transactions_functions_have_512_mb_on_arm",
     "UploadFunction/Properties/Architectures/0", "x86_64"),
    ("transactions", "transactions_workflow_is_express_traced_and_logged",
     "TransactionProcessingWorkflow/Properties/StateMachineType", "STANDARD"),
    ("transactions", "transactions_workflow_retries_and_keeps_what_failed",
     "TransactionProcessingWorkflow/Properties/Definition/States/Notify/Catch", None),
    ("transactions", "transactions_workflow_retries_and_keeps_what_failed",
     "TransactionProcessingWorkflow/Properties/Definition/States/Validate/Retry/1/MaxAttempts", 9),
    ("transactions", "transactions_workflow_tells_receipts_what_failed",
     "TransactionProcessingWorkflow/Properties/Definition/States/PutToDeadLetters/Next", "Failed"),
    ("transactions", "transactions_workflow_tells_receipts_what_failed",
     "TransactionProcessingWorkflow/Properties/Definition/States/PutToDeadLetters/ResultPath", None),
    ("transactions", "transactions_workflow_tells_receipts_what_failed",
     "TransactionProcessingWorkflow/Properties/Definition/States/TellReceipt/Retry/0/ErrorEquals/0",
     "States.TaskFailed"),
    ("transactions", "transactions_workflow_starts_by_itself",
     "TransactionsBucket/Properties/NotificationConfiguration", None),
    ("transactions", "transactions_files_begun_anew_start_it_again",
     "TransactionsAnewRule/Properties/Targets/0/DeadLetterConfig", None),
    ("transactions", "transactions_files_begun_anew_start_it_again", "TransactionsAnewRule", None),
    ("transactions", "transactions_files_begun_anew_start_it_again",
     "TransactionsAnewRule/Properties/State", "DISABLED"),
    ("files", "files_begun_anew_call_the_first_function", "FilesAnewRule/Properties/EventBusName", None),
    ("market", "market_begun_anew_call_the_first_function",
     "MarketAnewRule/Properties/EventPattern/source/0", "aws.s3"),
    ("transactions", "transactions_tables_answer_ranges_of_time",
     "TransactionsTable/Properties/GlobalSecondaryIndexes", None),
    ("transactions", "transactions_upload_needs_a_key_and_is_validated",
     "PostUploadMethod/Properties/ApiKeyRequired", False),
    ("transactions", "transactions_upload_needs_a_key_and_is_validated",
     "PostUploadMethod/Properties/RequestValidatorId", None),
    ("transactions", "transactions_plan_is_1000_requests_a_day",
     "TransactionsApiUsagePlan/Properties/Quota/Limit", 10000),
    ("transactions", "transactions_alarms_at_5_percent", "UploadErrorsAlarm/Properties/Threshold", 50),
    ("transactions", "transactions_alarms_at_5_percent", "UploadErrorsAlarm", None),
    ("transactions", "transactions_topic_is_encrypted_and_takes_tls_only",
     "TransactionNotificationsTopic/Properties/KmsMasterKeyId", None),
    ("transactions", "transactions_is_tagged", "UploadFunction/Properties/Tags/2", None),
]


def broken(template, path, value):
    """The template with one thing changed, or taken out."""
    template = copy.deepcopy(template)
    for one in path.split("+"):
        *steps, last = one.split("/")
        at = template["Resources"]
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        last = int(last) if isinstance(at, list) else last
        # what is changed or taken out must be there, or the test is about something else
        assert at[last] != value, f"{path} is {value} already"
        if value is None:
            del at[last]
        else:
            at[last] = value
    return template


def failing(guard, preset, folder):
    """Which rules fail, by the name of the file."""
    rules = [str(ROOT / "rules" / name) for name in ("all.guard", f"{preset}.guard")]
    command = [guard, "validate", "--rules", *rules, "--data", str(folder)]
    command += ["--structured", "--output-format", "json", "--show-summary", "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout.strip():
        sys.exit(f"cfn-guard gave no report: {done.stderr}")
    found = {}
    for report in json.loads(done.stdout):
        names = {next(iter(rule.values()))["name"] for rule in report["not_compliant"]}
        found.setdefault(pathlib.Path(report["name"]).name, set()).update(names)
    return found


def unnoticed(guard, templates, preset):
    """What was broken in the template of a preset without its rule failing."""
    template = json.loads((templates / f"{preset}.template.json").read_text())
    cases = [case for case in BROKEN if case[0] == preset]
    with tempfile.TemporaryDirectory() as folder:
        for index, (_, _, path, value) in enumerate(cases):
            text = json.dumps(broken(template, path, value))
            pathlib.Path(folder, f"{index:03}.json").write_text(text)
        found = failing(guard, preset, folder)
    return [
        f"{preset}: {path} became {value}, and rule {rule} did not fail"
        for index, (_, rule, path, value) in enumerate(cases)
        if rule not in found.get(f"{index:03}.json", set())
    ]


def main():
    guard, templates = sys.argv[1], pathlib.Path(sys.argv[2])
    rules = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.guard"))
    told = set(re.findall(r"^rule (\w+)", rules, re.MULTILINE))
    problems = [f"no template is broken for rule {rule}" for rule in sorted(told - {rule for _, rule, *_ in BROKEN})]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for found in threads.map(lambda preset: unnoticed(guard, templates, preset), PRESETS):
            problems.extend(found)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(BROKEN)} templates broken on purpose, {len(told)} rules, {len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
