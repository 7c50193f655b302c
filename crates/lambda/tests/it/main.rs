//! The functions on the cloud as it is in memory, with faults: both ports, and every door.

mod anew;
mod announce;
mod batch;
mod bootstrap;
mod calls;
mod cloud;
mod contended;
mod failed;
mod flow;
mod ledger;
mod ministack;
mod network;
mod objects;
mod sim;
mod standing;
mod trace;
mod wire;
