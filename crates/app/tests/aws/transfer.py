"""boto3 against the S3 door: its transfer manager, checksums, conditions, multipart uploads step by step."""

import hashlib
import io
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, bucket = sys.argv[1:]
s3 = boto3.client(
    's3', endpoint_url=endpoint, region_name='us-east-1', aws_access_key_id='millrace',
    aws_secret_access_key='millrace-local', config=Config(retries={'max_attempts': 1}, signature_version='s3v4'))


def refused(code, call, **words):
    try:
        call(**words)
    except ClientError as error:
        assert error.response['Error']['Code'] == code, error
        return
    raise AssertionError(f'{call} went well')


# the transfer manager: parts side by side, up and down
content = bytes(range(256)) * 80_000
config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=8)
s3.upload_fileobj(io.BytesIO(content), bucket, 'big.bin', Config=config,
                  ExtraArgs={'Metadata': {'sender': 'desk 1'}, 'ContentType': 'application/x-test'})
back = io.BytesIO()
s3.download_fileobj(bucket, 'big.bin', back, Config=config)
assert back.getvalue() == content
head = s3.head_object(Bucket=bucket, Key='big.bin')
assert head['Metadata'] == {'sender': 'desk 1'} and head['ContentType'] == 'application/x-test', head

# checksums of the whole and of parts
for algorithm in ['CRC32', 'SHA1', 'SHA256']:
    put = s3.put_object(Bucket=bucket, Key='c', Body=b'hello', ChecksumAlgorithm=algorithm)
    assert put['Checksum' + algorithm], put
    assert put['ETag'] == '"' + hashlib.md5(b'hello').hexdigest() + '"', put
refused('BadDigest', s3.put_object, Bucket=bucket, Key='c', Body=b'hello', ChecksumSHA256='A' * 43 + '=')

# a multipart upload, step by step
upload = s3.create_multipart_upload(Bucket=bucket, Key='m', ChecksumAlgorithm='SHA256')['UploadId']
at = {'Bucket': bucket, 'Key': 'm', 'UploadId': upload}
first, last = b'a' * (5 << 20), b'b'
parts = []
for number, body in [(2, last), (1, first)]:
    sent = s3.upload_part(PartNumber=number, Body=body, ChecksumAlgorithm='SHA256', **at)
    parts.append({'PartNumber': number, 'ETag': sent['ETag'], 'ChecksumSHA256': sent['ChecksumSHA256']})
refused('InvalidPartOrder', s3.complete_multipart_upload, MultipartUpload={'Parts': parts}, **at)
parts.sort(key=lambda part: part['PartNumber'])
wrong = [parts[0], {**parts[1], 'ETag': '"no"'}]
refused('InvalidPart', s3.complete_multipart_upload, MultipartUpload={'Parts': wrong}, **at)
listed = s3.list_parts(**at)['Parts']
assert [(part['PartNumber'], part['Size']) for part in listed] == [(1, len(first)), (2, 1)], listed
assert [upload['Key'] for upload in s3.list_multipart_uploads(Bucket=bucket)['Uploads']] == ['m']
done = s3.complete_multipart_upload(MultipartUpload={'Parts': parts}, **at)
of_parts = hashlib.md5(b''.join(hashlib.md5(body).digest() for body in [first, last])).hexdigest()
assert done['ETag'] == f'"{of_parts}-2"', done
assert done['ChecksumSHA256'].endswith('-2'), done
assert s3.get_object(Bucket=bucket, Key='m')['Body'].read() == first + last
refused('NoSuchUpload', s3.complete_multipart_upload, MultipartUpload={'Parts': parts}, **at)
small = s3.create_multipart_upload(Bucket=bucket, Key='s')['UploadId']
at = {'Bucket': bucket, 'Key': 's', 'UploadId': small}
parts = [{'PartNumber': n, 'ETag': s3.upload_part(PartNumber=n, Body=b'x', **at)['ETag']} for n in [1, 2]]
refused('EntityTooSmall', s3.complete_multipart_upload, MultipartUpload={'Parts': parts}, **at)
s3.abort_multipart_upload(**at)
refused('NoSuchUpload', s3.list_parts, **at)

# many who put the same upload together at once: it happens once
upload = s3.create_multipart_upload(Bucket=bucket, Key='once')['UploadId']
at = {'Bucket': bucket, 'Key': 'once', 'UploadId': upload}
parts = [{'PartNumber': 1, 'ETag': s3.upload_part(PartNumber=1, Body=first, **at)['ETag']}]


def complete(_):
    try:
        return bool(s3.complete_multipart_upload(MultipartUpload={'Parts': parts}, **at))
    except ClientError as error:
        assert error.response['Error']['Code'] in ['NoSuchUpload', 'ServiceUnavailable', 'InvalidPart'], error


with ThreadPoolExecutor(8) as pool:
    done = sum(filter(None, pool.map(complete, range(8))))
versions = s3.list_object_versions(Bucket=bucket, Prefix='once')['Versions']
assert (done, len(versions)) == (1, 1), (done, versions)

# a part that is copied, a copy with other metadata, conditions on both sides
upload = s3.create_multipart_upload(Bucket=bucket, Key='p')['UploadId']
at = {'Bucket': bucket, 'Key': 'p', 'UploadId': upload}
copied = s3.upload_part_copy(PartNumber=1, CopySource=f'{bucket}/m', CopySourceRange='bytes=5242880-5242880', **at)
part = {'PartNumber': 1, 'ETag': copied['CopyPartResult']['ETag']}
s3.complete_multipart_upload(MultipartUpload={'Parts': [part]}, **at)
assert s3.get_object(Bucket=bucket, Key='p')['Body'].read() == b'b'
s3.copy_object(Bucket=bucket, Key='d', CopySource={'Bucket': bucket, 'Key': 'big.bin'}, MetadataDirective='REPLACE',
               Metadata={'a': 'b'})
assert s3.head_object(Bucket=bucket, Key='d')['Metadata'] == {'a': 'b'}
refused('InvalidRequest', s3.copy_object, Bucket=bucket, Key='d', CopySource=f'{bucket}/d')
tag = s3.head_object(Bucket=bucket, Key='p')['ETag']
refused('PreconditionFailed', s3.put_object, Bucket=bucket, Key='p', Body=b'z', IfNoneMatch='*')
refused('PreconditionFailed', s3.put_object, Bucket=bucket, Key='p', Body=b'z', IfMatch='"other"')
s3.put_object(Bucket=bucket, Key='p', Body=b'z', IfMatch=tag)
refused('304', s3.get_object, Bucket=bucket, Key='p', IfNoneMatch=s3.head_object(Bucket=bucket, Key='p')['ETag'])
refused('PreconditionFailed', s3.get_object, Bucket=bucket, Key='p', IfMatch=tag)

# listings: pages, delimiters, both versions, many deleted at once
keys = [f'list/{folder}/{number}' for folder in 'abc' for number in range(5)]
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=b'')
for call, token in [('list_objects_v2', 'list'), ('list_objects', 'list')]:
    pages = s3.get_paginator(call).paginate(Bucket=bucket, Prefix='list/', PaginationConfig={'PageSize': 2})
    assert [entry['Key'] for page in pages for entry in page.get('Contents', [])] == keys, call
    pages = list(s3.get_paginator(call).paginate(
        Bucket=bucket, Prefix='list/', Delimiter='/', PaginationConfig={'PageSize': 2}))
    assert [p['Prefix'] for page in pages for p in page.get('CommonPrefixes', [])] == \
        ['list/a/', 'list/b/', 'list/c/'], call
after = s3.list_objects_v2(Bucket=bucket, Prefix='list/', StartAfter='list/b/9', MaxKeys=1)
assert after['Contents'][0]['Key'] == 'list/c/0' and after['IsTruncated'], after
deleted = s3.delete_objects(Bucket=bucket, Delete={'Objects': [{'Key': key} for key in [*keys, 'rejects/x']]})
assert len(deleted['Deleted']) == len(keys) and deleted['Errors'][0]['Code'] == 'AccessDenied', deleted
assert 'Contents' not in s3.list_objects_v2(Bucket=bucket, Prefix='list/')
pages = s3.get_paginator('list_object_versions').paginate(
    Bucket=bucket, Prefix='list/', PaginationConfig={'PageSize': 3})
found = [(entry['Key'], kind) for page in pages for kind in ['Versions', 'DeleteMarkers'] for entry in page.get(kind, [])]
assert sorted(found) == sorted([(key, kind) for key in keys for kind in ['Versions', 'DeleteMarkers']]), found

# a key is only ever a key
odd = ['a+b c(1)é/2024:01.csv', '//', '../x', 'a//b', '日本/€ & \'q\' "p" <x>.csv', '.', 'x/../../y', '%2F', 'l' * 1024]
for key in odd:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
listed = {entry['Key'] for entry in s3.list_objects_v2(Bucket=bucket)['Contents']}
assert set(odd) <= listed, set(odd) - listed
for key in odd:
    assert s3.get_object(Bucket=bucket, Key=key)['Body'].read() == key.encode(), key
deleted = s3.delete_objects(Bucket=bucket, Delete={'Objects': [{'Key': key} for key in odd], 'Quiet': True})
assert 'Errors' not in deleted, deleted
assert not set(odd) & {entry['Key'] for entry in s3.list_objects_v2(Bucket=bucket).get('Contents', [])}
refused('KeyTooLongError', s3.put_object, Bucket=bucket, Key='l' * 1025, Body=b'')

# presigned, both ways; a link that was changed is none
import urllib.error
import urllib.request
put = s3.generate_presigned_url('put_object', Params={'Bucket': bucket, 'Key': 'pre'}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(put, data=b'signed', method='PUT')).read()
get = s3.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': 'pre'}, ExpiresIn=60)
assert urllib.request.urlopen(get).read() == b'signed'
for changed in [get.replace('/pre?', '/p?'), get.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')]:
    try:
        urllib.request.urlopen(changed)
        raise AssertionError(f'{changed} went well')
    except urllib.error.HTTPError as error:
        assert error.code == 403, error.read()
print('all as expected')
