"""Templates as text, and with everything in them that refers to something else resolved."""

import json
import re

ACCOUNT = '000000000000'
REGION = 'us-east-1'
PSEUDO = {'AWS::Partition': 'aws', 'AWS::Region': REGION, 'AWS::AccountId': ACCOUNT, 'AWS::URLSuffix': 'amazonaws.com'}


class Nothing:
    """`AWS::NoValue`: as if the property were not there."""


class Resolver:
    """Resolves references of one stack: to parameters, and to resources by their physical ids."""

    def __init__(self, template, parameters, physical, attributes):
        self.template, self.physical, self.attributes = template, physical, attributes
        self.parameters = {name: parameters.get(name, one.get('Default'))
                           for name, one in template['Parameters'].items()}

    def properties(self, name):
        return self.value(self.template['Resources'][name].get('Properties', {}))

    def is_made(self, name):
        condition = self.template['Resources'][name].get('Condition')
        return condition is None or self.condition(condition)

    def condition(self, name):
        return self.test(self.template['Conditions'][name])

    def test(self, test):
        (function, arguments), = test.items()
        if function == 'Fn::Not':
            return not self.test(arguments[0])
        if function == 'Fn::Equals':
            return self.value(arguments[0]) == self.value(arguments[1])
        raise ValueError(f'{function} is not known here')

    def value(self, value):
        if isinstance(value, list):
            return [one for one in map(self.value, value) if one is not Nothing]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, arguments), = value.items()
            if function == 'Ref':
                return self.reference(arguments)
            if function == 'Fn::GetAtt':
                return self.attribute(*arguments)
            if function == 'Fn::Sub':
                return re.sub(r'\$\{([^!}]+)\}', lambda found: self.substituted(found[1]), arguments)
            if function == 'Fn::If':
                return self.value(arguments[1 if self.condition(arguments[0]) else 2])
        resolved = {key: self.value(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not Nothing}

    def reference(self, name):
        if name == 'AWS::NoValue':
            return Nothing
        if name in PSEUDO:
            return PSEUDO[name]
        return self.parameters[name] if name in self.parameters else self.physical[name]

    def substituted(self, name):
        resource, dot, attribute = name.partition('.')
        return str(self.attribute(resource, attribute) if dot else self.reference(name))

    def attribute(self, name, attribute):
        return self.attributes(self.template['Resources'][name]['Type'], self.physical[name], attribute)


def difference(declared, found, path=''):
    """Paths of what is declared and is not found so. What is found beyond that is a default of the cloud."""
    if isinstance(declared, dict):
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                return [path]
        if not isinstance(found, dict):
            return [path]
        return [one for key, value in declared.items() for one in difference(value, found.get(key), f'{path}.{key}')]
    if isinstance(declared, list):
        found = found if isinstance(found, list) else [found]
        if len(found) != len(declared):
            return [path]
        left, unmatched = list(found), []
        for one in declared:
            match = next((index for index, other in enumerate(left) if not difference(one, other)), None)
            if match is None:
                unmatched.append(one)
            else:
                left.pop(match)
        # What has no match is compared with what is left, so that one knows what about it is not so.
        below = f'{path}[]'
        return [found for one, other in zip(unmatched, left) for found in difference(one, other, below)]
    if isinstance(declared, str) and declared.startswith('{') and isinstance(found, dict):
        return difference(json.loads(declared), found, path)
    if isinstance(found, list) and len(found) == 1:
        return difference(declared, found[0], path)
    return [] if plain(declared) == plain(found) else [path]


def plain(value):
    """Numbers and truth are told as text by some services."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f'{value:g}' if isinstance(value, float) else str(value)
    return value.lower() if value in ('True', 'False') else value
