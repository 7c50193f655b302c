//! The one program that every function runs: `bootstrap`. Which function it is, the environment says.
//!
//! It has one thread. That asks for the next call, does what it is to do, and answers; stages that want more start their
//! own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use lambda::clients::{self, now};
use lambda::doors::Call;
use lambda::function::{Error, Function};
use lambda::network::Network;
use lambda::tell::{self, Teller, Told};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// A call, and where its answer goes.
type Asked = (LambdaEvent<Value>, oneshot::Sender<Result<Value, lambda_runtime::Error>>);

fn main() -> Result<(), lambda_runtime::Error> {
    let network = Network::new()?;
    let variables = |name: &str| std::env::var(name).ok();
    let function = clients::function(&variables, &network).inspect_err(|error| {
        tell::write(&[json!({ "level": "ERROR", "message": error.to_string(), "code": error.code })]);
    })?;
    // what speaks with the host is polled here between calls: within it, nobody could wait for the network
    let (ask, mut asked) = mpsc::channel::<Asked>(1);
    let mut host = pin!(lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let ask = ask.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            ask.send((event, answer)).await?;
            answered.await?
        }
    })));
    let mut is_first = true;
    loop {
        let next = network.wait(poll_fn(|context| match host.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Err(ended)),
            Poll::Pending => asked.poll_recv(context).map(Ok),
        }));
        let (event, answer) = match next {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(()),
            Err(ended) => return ended,
        };
        let done = catch_unwind(AssertUnwindSafe(|| answered(&function, event, is_first)));
        let done = done.unwrap_or_else(|panic| Err(Error::of_panic(panic.as_ref())));
        // if nobody wants the answer any more, that is seen when the host is polled
        drop(answer.send(done.map_err(lambda_runtime::Error::from)));
        is_first = false;
    }
}

fn answered(function: &Function, event: LambdaEvent<Value>, is_first: bool) -> Result<Value, Error> {
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
