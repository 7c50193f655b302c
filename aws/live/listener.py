"""Who wants to hear of files: a queue of their own that gets what a topic or an event bus tells.

Everything that is made is removed at the end, whatever happened.
"""

import json
import time
import uuid

# Those who listen to a topic, or to a bus, may do this. A subscription is no resource that a right can name.
OF_TOPIC = ('sns:Subscribe',)
OF_BUS = ('events:PutRule', 'events:PutTargets', 'events:RemoveTargets', 'events:DeleteRule')
OF_QUEUE = ('sqs:CreateQueue', 'sqs:SetQueueAttributes', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage',
            'sqs:DeleteMessage', 'sqs:DeleteQueue')


class Listener:
    """A queue that is subscribed to a topic, or that a rule of a bus sends to."""

    def __init__(self, account, name, topic=None, bus=None):
        self.topic, self.bus, self.name, self.heard = topic, bus, f'millrace-{name}-{uuid.uuid4().hex[:8]}', {}
        allow = {'Effect': 'Allow', 'Action': list(OF_QUEUE), 'Resource': f'arn:aws:sqs:*:*:{self.name}'}
        to = topic or [f'arn:aws:events:*:*:event-bus/{bus}', f'arn:aws:events:*:*:rule/{bus}/{self.name}']
        source = {'Effect': 'Allow', 'Action': list(OF_TOPIC if topic else OF_BUS), 'Resource': to}
        end = {'Effect': 'Allow', 'Action': 'sns:Unsubscribe', 'Resource': '*'}
        user = account.make_user(name, [allow, source, end] if topic else [allow, source])
        self.sqs, self.source = user.client('sqs'), user.client('sns' if topic else 'events')
        self.undo, self.is_test = [], bool(account.caller.endpoint)

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        self.url = self.sqs.create_queue(QueueName=self.name)['QueueUrl']
        self.undo.append(lambda: self.sqs.delete_queue(QueueUrl=self.url))
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
        if self.topic:
            self.let_in(arn, 'sns.amazonaws.com', self.topic)
            subscribed = self.source.subscribe(TopicArn=self.topic, Protocol='sqs', Endpoint=arn,
                                               ReturnSubscriptionArn=True)['SubscriptionArn']
            self.undo.append(lambda: self.source.unsubscribe(SubscriptionArn=subscribed))
            return
        pattern = json.dumps({'source': ['millrace']})
        rule = self.source.put_rule(Name=self.name, EventBusName=self.bus, EventPattern=pattern)['RuleArn']
        self.undo.append(lambda: self.source.delete_rule(Name=self.name, EventBusName=self.bus))
        self.let_in(arn, 'events.amazonaws.com', rule)
        put = self.source.put_targets(Rule=self.name, EventBusName=self.bus, Targets=[{'Id': 'queue', 'Arn': arn}])
        if put.get('FailedEntryCount'):
            raise AssertionError(f'the rule did not take its target: {put}')
        self.undo.append(lambda: self.source.remove_targets(Rule=self.name, EventBusName=self.bus, Ids=['queue']))

    def let_in(self, arn, service, source):
        statement = {'Effect': 'Allow', 'Principal': {'Service': service}, 'Action': 'sqs:SendMessage', 'Resource': arn,
                     'Condition': {'ArnEquals': {'aws:SourceArn': source}}}
        policy = json.dumps({'Version': '2012-10-17', 'Statement': [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={'Policy': policy})
        # a policy holds after some seconds in an account, at once on a server for tests
        time.sleep(0 if self.is_test else 30)

    def __exit__(self, *_):
        for undo in reversed(self.undo):
            undo()

    def events(self):
        """What was heard so far, by the ids of the events: who hears one twice knows it by that."""
        while True:
            received = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            if not received.get('Messages'):
                return self.heard
            for message in received['Messages']:
                event = self.read(json.loads(message['Body']))
                self.heard[event['id']] = event
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message['ReceiptHandle'])

    def read(self, envelope):
        """The event in what the topic or the bus makes of it, whose own words must agree with it."""
        if self.topic:
            event = json.loads(envelope['Message'])
            said = {name: one['Value'] for name, one in envelope['MessageAttributes'].items()}
            wanted = {'type': event['type'], 'id': event['id']}
        else:
            event, said = envelope['detail'], {'source': envelope['source'], 'type': envelope['detail-type']}
            wanted = {'source': 'millrace', 'type': event['type']}
        if said != wanted:
            raise AssertionError(f'an event is sent as {said}, and is {wanted}')
        return event

    def of(self, name):
        """The one event of this name; none while there is none."""
        found = [event for event in self.events().values() if event['type'] == name]
        if len(found) > 1:
            raise AssertionError(f'{len(found)} events {name}: {found}')
        return found[0] if found else None
