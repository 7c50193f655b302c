"""The three stacks on MiniStack, made and removed by `millrace deploy` and `destroy`, and used as partners use them.

    aws/test-aws [--keep]

1. `millrace synth` writes the templates; what MiniStack cannot make is taken out of them, by name (`emulator.json`).
2. `millrace deploy` makes the stacks, as a user of IAM. Once more it finds nothing to change.
3. Every property that a template declares is asked of the service itself. What differs must be on the list, and what is
   on the list must differ.
4. Files and records go in as a partner sends them, and what became of them is asked for (`flows.py`).
5. `millrace destroy` removes the stacks, and nothing of them must be left.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from botocore.exceptions import ClientError

import flows
import properties
from server import Server
from template import Resolver, difference

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target'))
WORK = ROOT / 'target' / 'aws'
ENVIRONMENT = 'it'
PRESETS = ('files', 'market', 'transactions')
LIST = json.loads((Path(__file__).parent / 'emulator.json').read_text())


def say(text):
    print(text, flush=True)


class Suite:
    """One run on one server. Problems are collected, so that one run tells all of them."""

    def __init__(self, server):
        self.server, self.problems = server, []
        self.root = server.caller()
        self.owner = self.root.make_user('owner', [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}])
        self.outputs = {}

    def must(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def millrace(self, *words, code=0):
        """What the command printed; an error unless it ends as it must."""
        command = [TARGET / 'debug' / 'millrace', *words, '--json']
        done = subprocess.run(command, cwd=WORK, env=self.owner.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600)
        if done.returncode != code:
            raise RuntimeError(f'`millrace {" ".join(map(str, words))}` ended with code {done.returncode}:\n'
                               f'{done.stderr[-3000:]}\n{self.server.last_lines()}')
        return (json.loads(done.stdout) if done.stdout else None), done.stderr

    # ------------------------------------------------------------ templates

    def templates(self):
        """What `synth` writes, without what MiniStack cannot make and with the rights that only it asks for."""
        self.millrace('synth', '--env', ENVIRONMENT, '--arch', 'x86_64', '--out', 'synth')
        whole = {preset: json.loads((WORK / f'synth/{preset}.template.json').read_text()) for preset in PRESETS}
        changed = json.loads(json.dumps(whole))
        for preset, names in LIST['left_out'].items():
            for name in names:
                del changed[preset]['Resources'][name]
        for right in LIST['granted']:
            statements = changed[right['preset']]['Resources'][right['role']]['Properties']['Policies'][0]
            grant = [one for one in statements['PolicyDocument']['Statement']
                     if one['Effect'] == 'Allow' and right['of'] in one['Action']]
            for one in grant:
                one['Action'].append(right['action'])
            self.must(grant, f"{right['role']} has no right {right['of']} any more: take it off the list")
        (WORK / 'changed').mkdir(exist_ok=True)
        for preset in PRESETS:
            (WORK / f'changed/{preset}.template.json').write_text(json.dumps(changed[preset]))
        return whole, changed

    def left_out_is_refused(self, whole):
        """Each resource that is left out, alone in a stack with texts in the place of references, is refused."""
        cloud = self.owner.client('cloudformation')
        for preset, names in LIST['left_out'].items():
            for name in names:
                resource = json.loads(json.dumps(whole[preset]['Resources'][name]))
                resource = {'Type': resource['Type'], 'Properties': without_references(resource['Properties'])}
                stack = f'alone-{name}'
                body = json.dumps({'AWSTemplateFormatVersion': '2010-09-09', 'Resources': {name: resource}})
                cloud.create_stack(StackName=stack, TemplateBody=body, Capabilities=['CAPABILITY_NAMED_IAM'])
                self.must(self.settled(stack) != 'CREATE_COMPLETE',
                          f'{preset}/{name} is left out, and MiniStack makes it: take it off the list')
                cloud.delete_stack(StackName=stack)

    def settled(self, stack):
        cloud = self.owner.client('cloudformation')
        for _ in range(100):
            status = cloud.describe_stacks(StackName=stack)['Stacks'][0]['StackStatus']
            if not status.endswith('IN_PROGRESS'):
                return status
            time.sleep(0.1)
        raise RuntimeError(f'stack {stack} is still {status}')

    def grants_are_needed(self):
        """Each right that is granted for MiniStack alone is one that the real cloud includes in another."""
        for right in LIST['granted']:
            user = self.root.make_user('half', [{'Effect': 'Allow', 'Action': right['of'], 'Resource': '*'}])
            service, _, action = right['action'].partition(':')
            refused = False
            try:
                call = re.sub('(?<!^)(?=[A-Z])', '_', action).lower()
                getattr(user.client(service), call)(**right['example'])
            except ClientError as error:
                refused = error.response['Error']['Code'] in ('AccessDenied', 'AccessDeniedException')
            self.must(refused, f"{right['action']} is granted, and {right['of']} is enough: take it off the list")

    def added_is_missing(self):
        """What `emulated.py` adds was needed in the flows, and MiniStack did not say it by itself."""
        said = self.server.last_lines(100_000)
        for what in LIST['added']:
            self.must(f'{what} is added' in said, f'{what} is on the list of what is added, and nothing needed it')
            self.must(f'{what} is there' not in said, f'{what} is said by MiniStack: take it off the list')

    # ------------------------------------------------------------ deploying

    def deploy(self, bootstrap):
        common = ['--env', ENVIRONMENT, '--bootstrap', bootstrap, '--templates', 'changed']
        one = [*common, '--preset', 'market']
        _, told = self.millrace('deploy', *one, code=1)
        self.must('nothing was changed' in told, 'deploy without --yes and without a terminal does not say so')
        shown, _ = self.millrace('deploy', *one, '--dry-run')
        self.must([one['result'] for one in shown['stacks']] == ['shown'], f'--dry-run: {shown["stacks"]}')
        names = self.owner.client('cloudformation').describe_stacks()['Stacks']
        self.must(not names, f'--dry-run left {[one["StackName"] for one in names]}')
        made, _ = self.millrace('deploy', *common, '--yes')
        self.must([one['result'] for one in made['stacks']] == ['created'] * 3, f'deploy: {made["stacks"]}')
        again, _ = self.millrace('deploy', *common, '--yes')
        self.must([one['result'] for one in again['stacks']] == ['unchanged'] * 3,
                  f'deployed again, something changes: {[one["changes"] for one in again["stacks"]]}')
        self.outputs = json.loads((WORK / 'cfn-outputs/flat-outputs.json').read_text())
        printed, _ = self.millrace('outputs', '--env', ENVIRONMENT)
        self.must(printed == self.outputs, '`outputs` tells something else than `deploy` wrote')
        return made

    def change(self, bootstrap):
        """A parameter is changed; the others keep their values."""
        common = ['--env', ENVIRONMENT, '--bootstrap', bootstrap, '--templates', 'changed', '--preset', 'files']
        changed, _ = self.millrace('deploy', *common, '--yes', '--parameter', 'AllowedOrigin=https://acme.example')
        self.must(changed['stacks'][0]['result'] == 'updated', f'a parameter was changed: {changed["stacks"]}')
        function = self.owner.client('lambda').get_function_configuration(
            FunctionName=self.outputs['statusQueryFunctionName'])
        origin = function['Environment']['Variables']['MILLRACE_ALLOWED_ORIGIN']
        self.must(origin == 'https://acme.example', f'the function still has the origin {origin}')
        again, _ = self.millrace('deploy', *common, '--yes')
        self.must(again['stacks'][0]['result'] == 'unchanged', 'a parameter that is not given does not keep its value')

    def read_back(self, templates):
        """Compares every declared property with what the services say."""
        dropped, read = {}, 0
        for preset in PRESETS:
            stack = f'millrace-{preset}-{ENVIRONMENT}'
            cloud = self.owner.client('cloudformation')
            pages = cloud.get_paginator('list_stack_resources').paginate(StackName=stack)
            physical = {one['LogicalResourceId']: one['PhysicalResourceId'] for page in pages
                        for one in page['StackResourceSummaries']}
            given = cloud.describe_stacks(StackName=stack)['Stacks'][0]['Parameters']
            given = {one['ParameterKey']: one['ParameterValue'] for one in given}
            resolver = Resolver(templates[preset], given, physical,
                                lambda *of: properties.attribute(self.owner, *of))
            for name, resource in templates[preset]['Resources'].items():
                if not resolver.is_made(name):
                    self.must(name not in physical, f'{preset}/{name} is made, and its condition does not hold')
                    continue
                if name not in physical:
                    self.problems.append(f'{preset}/{name} is not made')
                    continue
                declared = resolver.properties(name)
                found = properties.READ[resource['Type']](self.owner, physical[name], declared)
                for key, value in declared.items():
                    read += 1
                    told = found.get(key)
                    if key == 'Tags':
                        # CloudFormation adds its own
                        told = [one for one in told or [] if not one['Key'].startswith('aws:')]
                    for path in difference(value, told, key):
                        dropped.setdefault(f"{resource['Type']} {path}", []).append(
                            f'{preset}/{name}: {json.dumps(value)[:200]} is told as {json.dumps(told, default=str)[:200]}')
        for what, where in dropped.items():
            self.must(what in LIST['dropped'], f'{what} is not as declared, and not on the list: {where[0]}')
        for what in LIST['dropped']:
            self.must(what in dropped, f'{what} is on the list, and is as declared: take it off')
        say(f'  {read} declared properties read back; {len(dropped)} kinds of them are not kept by MiniStack, as listed')

    def flow(self, name):
        """As whoever points the flows at an account of their own runs them."""
        command = [sys.executable, Path(flows.__file__), WORK / 'cfn-outputs/flat-outputs.json', name]
        done = subprocess.run(command, env=self.owner.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=600)
        self.must(done.returncode == 0, f'flow {done.stdout}{done.stderr}{self.server.last_lines(15)}')

    def destroy(self):
        _, told = self.millrace('destroy', '--env', ENVIRONMENT, code=1)
        self.must('--yes-delete-data' in told, 'destroy without --yes-delete-data does not say so')
        gone, _ = self.millrace('destroy', '--env', ENVIRONMENT, '--yes-delete-data')
        self.must(sum(one['versions_deleted'] for one in gone['stacks']) > 0, f'no version was deleted: {gone}')
        self.must(len(gone['left']) == 1 and 'millrace-code' in gone['left'][0], f'destroy tells of {gone["left"]}')
        self.must(not (WORK / 'cfn-outputs/flat-outputs.json').exists(), 'the file of outputs is still there')
        for what, names in self.what_is_there().items():
            self.must(not names, f'destroy left the {what} {names}')

    def what_is_there(self):
        """Names of everything in the account that ends with the environment or belongs to the stacks."""
        of = self.owner.client
        found = {
            'buckets': [one['Name'] for one in of('s3').list_buckets()['Buckets']],
            'tables': of('dynamodb').list_tables()['TableNames'],
            'queues': of('sqs').list_queues().get('QueueUrls', []),
            'functions': [one['FunctionName'] for one in of('lambda').list_functions()['Functions']],
            'mappings': [one['UUID'] for one in of('lambda').list_event_source_mappings()['EventSourceMappings']],
            'roles': [one['RoleName'] for one in of('iam').list_roles()['Roles']],
            # Those of functions come back when MiniStack writes what a function said last; its roles cannot do that.
            'log groups': [one['logGroupName'] for one in of('logs').describe_log_groups()['logGroups']
                           if not one['logGroupName'].startswith('/aws/lambda/')],
            'APIs': [one['id'] for one in of('apigateway').get_rest_apis()['items']],
            'API keys': [one['id'] for one in of('apigateway').get_api_keys()['items']],
            'usage plans': [one['id'] for one in of('apigateway').get_usage_plans()['items']],
            'alarms': [one['AlarmName'] for one in of('cloudwatch').describe_alarms()['MetricAlarms']],
            'rules': [one['Name'] for one in of('events').list_rules()['Rules']],
            'buses': [one['Name'] for one in of('events').list_event_buses()['EventBuses']],
            'topics': [one['TopicArn'] for one in of('sns').list_topics()['Topics']],
            'subscriptions': [one['Endpoint'] for one in of('sns').list_subscriptions()['Subscriptions']],
            'users of flows': [one['UserName'] for one in of('iam').list_users()['Users']
                               if one['UserName'].startswith('millrace-flows')],
            'workflows': [one['name'] for one in of('stepfunctions').list_state_machines()['stateMachines']],
        }
        ours = {'buckets': 'millrace-code', 'buses': 'default'}
        return {what: [name for name in names if ours.get(what, '\0') not in name] for what, names in found.items()}


def without_references(value):
    if isinstance(value, list):
        return [without_references(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and next(iter(value)) in ('Ref', 'Fn::GetAtt', 'Fn::Sub'):
        return 'alone'
    found = {key: without_references(one) for key, one in value.items() if not (isinstance(one, dict) and 'Fn::If' in one)}
    return found


def stripped(path):
    """The debug build without what only debuggers need: a fifth of it."""
    out = WORK / 'bootstrap'
    strip = shutil.which('strip')
    if strip:
        subprocess.run([strip, '-o', out, path], check=True)
    else:
        shutil.copy(path, out)
    return out


def main():
    parser = argparse.ArgumentParser(description='The stacks on MiniStack.')
    parser.add_argument('--only-flows', action='store_true', help='neither read back nor change')
    parser.add_argument('--keep', action='store_true', help='leave the stacks, and wait for Enter at the end')
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    bootstrap = stripped(TARGET / 'debug' / 'bootstrap')
    began = time.monotonic()
    with Server(WORK / 'server', TARGET / 'debug' / 'examples' / 'certificate') as server:
        suite = Suite(server)

        def step(what, work, *arguments):
            say(f'{time.monotonic() - began:5.1f} s  {what}')
            return work(*arguments)

        whole, changed = step('templates', suite.templates)
        step('what is left out is refused', suite.left_out_is_refused, whole)
        step('what is granted is needed', suite.grants_are_needed)
        step('deploy', suite.deploy, bootstrap)
        if not options.only_flows:
            step('every property read back', suite.read_back, changed)
            step('a change', suite.change, bootstrap)
        for name in flows.ALL:
            step(f'flow: {name}', suite.flow, name)
        step('what is added is missing', suite.added_is_missing)
        if options.keep:
            print(f'{server.endpoint}; Enter ends it', file=sys.stderr)
            sys.stdin.readline()
        else:
            step('destroy', suite.destroy)
    say(f'{time.monotonic() - began:5.1f} s  {len(suite.problems)} problems')
    for problem in suite.problems:
        say(f'  {problem}')
    return 1 if suite.problems else 0


if __name__ == '__main__':
    sys.exit(main())
