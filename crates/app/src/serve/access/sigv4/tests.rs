//! The published examples of AWS, and what must not pass.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn head(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn of_suite(names: &str, signature: &str) -> String {
    format!(
        "{ALGORITHM} Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
    )
}

fn checked(method: &Method, uri: &str, headers: &HeaderMap, payload: &str) -> bool {
    let uri: Uri = uri.parse().unwrap();
    let signed = Signed::of(&uri, headers).unwrap().unwrap();
    signed.fits(method, &uri, headers, SECRET, payload)
}

#[test]
fn the_published_suite_passes() {
    let date = ("x-amz-date", "20150830T123600Z");
    let host = ("host", "example.amazonaws.com");
    let cases = [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("/?Param1=value2&Param1=value1", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    ];
    for (uri, signature) in cases {
        let headers = head(&[host, date, ("authorization", &of_suite("host;x-amz-date", signature))]);
        assert!(checked(&Method::GET, uri, &headers, EMPTY), "{uri}");
        assert!(!checked(&Method::POST, uri, &headers, EMPTY), "{uri}");
    }
    let headers = head(&[
        host,
        date,
        (
            "authorization",
            &of_suite("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ),
    ]);
    assert!(checked(&Method::POST, "/", &headers, EMPTY));
}

#[test]
fn the_presigned_example_of_s3_passes_until_it_expires() {
    // its path needs no encoding, so that both ways to encode are one
    let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let uri: Uri = uri.parse().unwrap();
    let headers = head(&[("host", "examplebucket.s3.amazonaws.com")]);
    let signed = Signed::of(&uri, &headers).unwrap().unwrap();
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    assert!(signed.fits(&Method::GET, &uri, &headers, secret, UNSIGNED));
    assert!(!signed.fits(&Method::GET, &uri, &headers, secret, EMPTY));
    assert!(!signed.fits(&Method::PUT, &uri, &headers, secret, UNSIGNED));
    let other = head(&[("host", "other.s3.amazonaws.com")]);
    assert!(!signed.fits(&Method::GET, &uri, &other, secret, UNSIGNED));
    let at = seconds("20130524T000000Z").unwrap();
    assert_eq!(at, 1_369_353_600);
    assert!(signed.in_time(at + 86_400).is_ok());
    assert_eq!(signed.in_time(at + 86_401).unwrap_err().0, "signature_expired");
    assert_eq!(signed.in_time(at - 901).unwrap_err().0, "signature_not_yet_valid");
    assert_eq!((signed.service(), signed.access_key.as_str()), ("s3", "AKIAIOSFODNN7EXAMPLE"));
    let longer = uri.to_string().replace("=86400", "=604801").parse().unwrap();
    assert_eq!(Signed::of(&longer, &headers).unwrap_err().0, "malformed_signature");
    let twice = format!("{uri}&X-Amz-Expires=1").parse().unwrap();
    assert_eq!(Signed::of(&twice, &headers).unwrap_err().0, "malformed_signature");
}

#[test]
fn what_is_not_signed_is_refused() {
    let date = ("x-amz-date", "20150830T123600Z");
    let signed = |names: &str, more: &[(&'static str, &str)]| {
        let headers = head(&[&[("host", "h"), date, ("authorization", of_suite(names, "00").as_str())], more].concat());
        let uri: Uri = "/".parse().unwrap();
        Signed::of(&uri, &headers).unwrap().unwrap().covers(&headers)
    };
    assert!(signed("host;x-amz-date", &[]).is_ok());
    assert_eq!(signed("x-amz-date", &[]).unwrap_err().0, "header_not_signed");
    assert_eq!(signed("host", &[]).unwrap_err().0, "header_not_signed");
    assert_eq!(signed("host;x-amz-date", &[("x-amz-content-sha256", EMPTY)]).unwrap_err().0, "header_not_signed");
    for header in ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"] {
        let headers = head(&[("host", "h"), date, ("authorization", header)]);
        assert!(Signed::of(&"/".parse().unwrap(), &headers).is_err(), "{header}");
    }
    let basic = head(&[("host", "h"), ("authorization", "Basic eA==")]);
    assert_eq!(Signed::of(&"/".parse().unwrap(), &basic), Ok(None));
}

#[test]
fn what_another_reader_could_take_for_something_else_is_refused() {
    let good = of_suite("host;x-amz-date", "00");
    let (word, fields) = good.split_once(' ').unwrap();
    let date = ("x-amz-date", "20150830T123600Z");
    let of = |uri: &str, values: &[&[u8]]| {
        let mut headers = head(&[("host", "h"), date]);
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Signed::of(&uri.parse().unwrap(), &headers)
    };
    let closer = good.replace(", ", ",");
    for form in [good.as_str(), &format!("{word}   {fields}"), &closer, &format!("{good} ")] {
        assert_eq!(of("/", &[form.as_bytes()]), of("/", &[good.as_bytes()]), "{form}");
        assert!(of("/", &[form.as_bytes()]).unwrap().is_some(), "{form}");
    }
    for other in ["X", "AWS", "aws4-hmac-sha256", "AWS4-HMAC-SHA1", "Bearer"] {
        assert_eq!(of("/", &[format!("{other} {fields}").as_bytes()]), Ok(None), "{other}");
    }
    let refused = |uri: &str, values: &[&[u8]]| match of(uri, values) {
        Err(Refused(code, _)) => assert_eq!(code, "malformed_signature"),
        read => panic!("{values:?} is read as {read:?}"),
    };
    let more = |before: &str, after: &str| good.replacen(before, after, 1);
    for odd in [
        more(" ", "\t"),
        more(" ", ","),
        more(" ", ",SignedHeaders=host;x-amz-copy-source "),
        more(" ", "2 "),
        more("SignedHeaders", "SignedHeaders=host;x-amz-meta-a, SignedHeaders"),
        format!("{good}, SignedHeaders=host"),
        format!("{good}, Signature=00"),
        format!("{good}, Credential=a"),
        format!("{good}, More=1"),
        format!("{good},"),
        more("host;", "host;host;"),
        more("host;", "host;\u{e9};"),
    ] {
        refused("/", &[odd.as_bytes()]);
    }
    refused("/", &[&[good.as_bytes(), b"\xff"].concat()]);
    refused("/", &[good.as_bytes(), good.as_bytes()]);
    refused("/", &[b"\xff", good.as_bytes()]);
    refused("/", &[b"Bearer x", good.as_bytes()]);
    refused("/?X-Amz-Signature=0", &[good.as_bytes()]);
    // a value that is no text is not what was signed
    let mut headers = head(&[("host", "h"), date, ("authorization", &of_suite("host;x-amz-date;x-amz-size", "00"))]);
    let signed = Signed::of(&"/".parse().unwrap(), &headers).unwrap().unwrap();
    assert!(signed.covers(&headers).is_ok());
    headers.insert("x-amz-size", HeaderValue::from_bytes(b"5\xff").unwrap());
    assert_eq!(signed.covers(&headers).unwrap_err().0, "header_not_signed");
}

#[test]
fn paths_and_queries() {
    assert_eq!(path("/a//b/../c%20d", Paths::Twice).unwrap(), "/a/c%2520d");
    assert_eq!(path("/a//b/../c%20d", Paths::Once).unwrap(), "/a//b/../c%20d");
    assert_eq!(path("/", Paths::Twice).unwrap(), "/");
    assert_eq!(decoded("a%2Fb+c%zz", true), b"a/b c%zz");
    assert_eq!(seconds("2013-05-24T00:00"), None);
}
