//! Objects: the suite of their port, and every call that fails in turn.

use std::io::{Read, Write};
use std::sync::Arc;

use lambda::objects::Objects;
use pipeline::object::ObjectVersion;
use pipeline::ports::{self, Objects as _};
use testkit::contract::{self, ObjectsHome};

use crate::cloud::{Cloud, Fault};

pub fn objects(cloud: &Cloud) -> Objects {
    Objects::new(Arc::new(cloud.clone()), Some("files".into()), "results".into())
}

struct Home(Cloud, Objects);

impl ObjectsHome for Home {
    fn objects(&self) -> &dyn ports::Objects {
        &self.1
    }

    fn restart(&mut self) {
        self.1 = objects(&self.0);
    }
}

#[test]
fn the_port_keeps_its_promises() {
    contract::objects(&|| {
        let cloud = Cloud::default();
        Box::new(Home(cloud.clone(), objects(&cloud)))
    });
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * index / 7) as u8).collect()
}

fn write(objects: &Objects, bytes: &[u8]) -> Result<ObjectVersion, Box<dyn std::error::Error>> {
    let mut writing = objects.create("files", "validated/r-1/rows.parquet")?;
    writing.write_all(bytes)?;
    Ok(writing.finish()?)
}

fn read(objects: &Objects, object: &ObjectVersion) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    objects.open(object)?.input.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn whichever_call_fails_the_object_is_whole_or_not_there() {
    for size in [1000, 9 << 20] {
        let bytes = pattern(size);
        let (version, calls) = {
            let cloud = Cloud::default();
            let version = write(&objects(&cloud), &bytes).unwrap();
            assert_eq!(version.bucket, "files", "stages find their results where they named them");
            assert!(read(&objects(&cloud), &version).unwrap() == bytes);
            (version, cloud.calls().len())
        };
        for number in 0..calls {
            for fault in [Fault::Before, Fault::After] {
                let cloud = Cloud::default();
                cloud.plan(number, fault);
                let objects = objects(&cloud);
                if write(&objects, &bytes).is_err() {
                    let seen = objects.open(&version);
                    assert!(seen.is_err() || fault == Fault::After, "{fault:?} at {number} of {size}");
                }
                let found = write(&objects, &bytes).and_then(|version| read(&objects, &version));
                let found = found.or_else(|_| read(&objects, &write(&objects, &bytes)?)).unwrap();
                assert!(found == bytes, "{fault:?} at {number} of {size}");
            }
        }
    }
}

#[test]
fn files_are_read_by_the_version_of_their_bucket() {
    use lambda::bucket::Buckets;
    let cloud = Cloud::default();
    let objects = objects(&cloud);
    for bytes in [&b"old"[..], b"new"] {
        cloud.put("files", "in/a.csv", bytes.to_vec(), None).unwrap();
    }
    let object =
        |version: &str| ObjectVersion { bucket: "files".into(), key: "in/a.csv".into(), version: version.into() };
    assert_eq!(read(&objects, &object("v1")).unwrap(), b"old");
    assert_eq!(read(&objects, &object("v2")).unwrap(), b"new");
    assert!(matches!(objects.open(&object("v3")), Err(ports::Error::NotFound(_))));
}
