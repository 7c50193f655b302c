//! The one program that every function runs: `bootstrap`. Which function it is, the environment says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lambda::clients::{self, now};
use lambda::doors::Call;
use lambda::function::{Error, Function};
use lambda::tell::{self, Teller, Told};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), lambda_runtime::Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let variables = |name: &str| std::env::var(name).ok();
    let function = clients::function(&variables, runtime.handle()).inspect_err(|error| {
        tell::write(&[json!({ "level": "ERROR", "message": error.to_string(), "code": error.code })]);
    })?;
    let function = Arc::new(function);
    let is_first = Arc::new(AtomicBool::new(true));
    runtime.block_on(lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let (function, is_first) = (function.clone(), is_first.clone());
        async move {
            // the stages wait for the network, and this thread is the one that has it
            let first = is_first.swap(false, Ordering::Relaxed);
            tokio::task::spawn_blocking(move || answer(&function, event, first))
                .await?
                .map_err(lambda_runtime::Error::from)
        }
    })))
}

fn answer(function: &Function, event: LambdaEvent<Value>, is_first: bool) -> Result<Value, Error> {
    let began = Instant::now();
    let (payload, context) = event.into_parts();
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
    let teller = Teller {
        function: function.name(),
        request: context.request_id,
        trace: context.xray_trace_id.clone(),
        at: now(),
    };
    let mut told = Told::default();
    let call = Call { trace: context.xray_trace_id, ..Call::within(left) };
    let answer = function.call(payload, &call, &mut told);
    tell::write(&teller.lines(&told, answer.as_ref().map(drop), began.elapsed(), is_first));
    answer
}
