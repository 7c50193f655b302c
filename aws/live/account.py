"""Callers of an account, and users of IAM that are made for a while, with no more rights than it takes.

The account is a real one, or that of a server such as MiniStack: `AWS_ENDPOINT_URL` and `AWS_CA_BUNDLE` say so.
"""

import json
import os
import time

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

# A new user's key is known everywhere after some seconds.
KEY_SECONDS = 60
UNKNOWN_KEY = ('InvalidClientTokenId', 'InvalidAccessKeyId', 'UnrecognizedClientException', 'NotSignedUp')


class Caller:
    """Clients of somebody, and the variables by which programs are that somebody."""

    def __init__(self, access=None, secret=None, endpoint=None, certificate=None):
        """Without a key it is who the environment says."""
        self.session = botocore.session.Session()
        if access:
            self.session.set_credentials(access, secret)
        self.region = self.session.get_config_variable('region') or 'us-east-1'
        self.endpoint = endpoint or os.environ.get('AWS_ENDPOINT_URL')
        self.certificate = certificate or os.environ.get('AWS_CA_BUNDLE')
        self.access, self.secret, self.clients = access, secret, {}

    def client(self, service):
        if service not in self.clients:
            style = {'addressing_style': 'path'} if self.endpoint else {}
            config = Config(retries={'max_attempts': 2}, s3=style)
            verify = str(self.certificate) if self.certificate else None
            self.clients[service] = self.session.create_client(
                service, self.region, endpoint_url=self.endpoint, verify=verify, config=config)
        return self.clients[service]

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith('AWS_')}
        return kept | {'AWS_ACCESS_KEY_ID': self.access, 'AWS_SECRET_ACCESS_KEY': self.secret,
                       'AWS_REGION': self.region, 'AWS_DEFAULT_REGION': self.region,
                       'AWS_ENDPOINT_URL': self.endpoint, 'AWS_CA_BUNDLE': str(self.certificate)}

    def make_user(self, name, statements):
        """A user with these rights."""
        iam = self.client('iam')
        iam.create_user(UserName=name)
        policy = json.dumps({'Version': '2012-10-17', 'Statement': statements})
        iam.put_user_policy(UserName=name, PolicyName='own', PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)['AccessKey']
        made = Caller(key['AccessKeyId'], key['SecretAccessKey'], self.endpoint, self.certificate)
        made.wait_until_known()
        return made

    def wait_until_known(self):
        ends = time.monotonic() + KEY_SECONDS
        while True:
            try:
                # whoever is known may ask this
                self.client('sts').get_caller_identity()
                return
            except ClientError as error:
                if error.response['Error']['Code'] not in UNKNOWN_KEY or time.monotonic() > ends:
                    raise
                time.sleep(1)

    def remove_user(self, name):
        iam = self.client('iam')
        for key in iam.list_access_keys(UserName=name)['AccessKeyMetadata']:
            iam.delete_access_key(UserName=name, AccessKeyId=key['AccessKeyId'])
        iam.delete_user_policy(UserName=name, PolicyName='own')
        iam.delete_user(UserName=name)


class Users:
    """Users with names of their own, removed at the end."""

    def __init__(self, maker, prefix):
        self.maker, self.prefix, self.names = maker, prefix, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in self.names:
            self.maker.remove_user(name)

    def make(self, name, statements):
        name = f'{self.prefix}-{name}'
        self.names.append(name)
        return self.maker.make_user(name, statements)
