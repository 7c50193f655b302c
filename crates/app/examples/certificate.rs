//! Makes a certificate for the loopback, and its key, for a server that a test starts.
//!
//! `certificate CERTIFICATE.pem KEY.pem`

use std::error::Error;
use std::fs;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(certificate), Some(key)) = (words.next(), words.next()) else {
        return Err("name two files: one for the certificate, one for its key".into());
    };
    let mut made = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    made.is_ca = IsCa::ExplicitNoCa;
    made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let secret = KeyPair::generate()?;
    fs::write(certificate, made.self_signed(&secret)?.pem())?;
    fs::write(key, secret.serialize_pem())?;
    Ok(())
}
