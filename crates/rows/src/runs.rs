//! stub
use crate::Result;
use crate::source::Scratch;
pub struct Runs;
pub struct Run;
pub struct Merge;
impl Runs { pub fn new(_s: Box<dyn Scratch>) -> Self { Runs } pub fn begin(&mut self) -> Run { Run }
 pub fn merge(self, _m: usize, _c: fn(&mut Vec<u8>, &[u8]) -> Result<()>) -> Result<Merge> { Ok(Merge) } }
impl Run { pub fn push(&mut self, _k: &[u8], _v: &[u8]) -> Result<()> { Ok(()) } pub fn end(self) -> Result<()> { Ok(()) } }
impl Merge { pub fn next(&mut self, _k: &mut Vec<u8>, _v: &mut Vec<u8>) -> Result<bool> { Ok(false) } }
