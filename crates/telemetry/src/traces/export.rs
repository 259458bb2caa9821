//! A bounded queue, and a thread of its own that empties it.
//!
//! Invariants: whoever has a span to tell never waits; what finds the queue full is dropped and counted; a batch that nobody takes is
//! tried three times and then dropped and counted; a process that ends waits no longer than it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use gonogo_outbound::{Client, NoAnswer};

use super::settings::Exporting;
use super::{Span, otlp};
use crate::stopwatch::Stopwatch;

/// Tries of one batch.
const TRIES: u32 = 3;
/// Wait before the second; the third waits twice as long.
const AGAIN: Duration = Duration::from_millis(300);
/// The most that a collector's answer may have, in bytes.
const MOST: usize = 64 << 10;

/// What became of spans so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// A collector took them.
    pub exported: u64,
    /// Nobody did.
    pub dropped: u64,
    /// They wait.
    pub queued: u64,
}

/// Where spans go; clones share the way. One that is off takes none.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Way>>);

struct Way {
    sender: SyncSender<Message>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    exported: AtomicU64,
    dropped: AtomicU64,
}

enum Message {
    Span(Box<Span>),
    /// Send what there is, and say so.
    Flush(SyncSender<()>),
}

impl Tracer {
    /// A tracer that takes nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// A tracer that sends spans as `exporting` says; off if no thread can be started.
    pub fn to(exporting: Exporting) -> Self {
        let (sender, receiver) = sync_channel(exporting.queue);
        let counts = Arc::new(Counts::default());
        let of_thread = Arc::clone(&counts);
        let started = std::thread::Builder::new()
            .name("spans".into())
            .spawn(move || run(&exporting, &receiver, &of_thread));
        match started {
            Ok(_) => Self(Some(Arc::new(Way { sender, counts }))),
            Err(_) => Self::off(),
        }
    }

    /// Whether it takes spans: nothing needs to be gathered for one that is off.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a span. Never waits.
    pub fn tell(&self, span: Span) {
        let Some(way) = &self.0 else {
            return;
        };
        way.counts.taken.fetch_add(1, Ordering::Relaxed);
        if way.sender.try_send(Message::Span(Box::new(span))).is_err() {
            way.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of spans so far.
    pub fn lost(&self) -> Lost {
        let Some(way) = &self.0 else {
            return Lost::default();
        };
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (exported, dropped) = (of(&way.counts.exported), of(&way.counts.dropped));
        Lost {
            exported,
            dropped,
            queued: of(&way.counts.taken).saturating_sub(exported + dropped),
        }
    }

    /// Sends what there is, for a process that ends; waits at most so long.
    pub fn finish(&self, within: Duration) {
        let Some(way) = &self.0 else {
            return;
        };
        if self.lost().queued == 0 {
            return;
        }
        let begun = Stopwatch::begin();
        let (done, told) = sync_channel(1);
        let mut message = Message::Flush(done);
        // A full queue has no room for the wish either, until something has left it.
        while let Err(std::sync::mpsc::TrySendError::Full(back)) = way.sender.try_send(message) {
            if begun.elapsed() >= within {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
            message = back;
        }
        let _ = told.recv_timeout(within.saturating_sub(begun.elapsed()));
    }
}

fn run(exporting: &Exporting, receiver: &Receiver<Message>, counts: &Counts) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    let _inside = runtime.enter();
    // Made when there is something to send: reading the system's certificates takes a moment.
    let mut client: Option<Client> = None;
    let mut batch: Vec<Span> = Vec::new();
    let mut since: Option<Stopwatch> = None;
    loop {
        let left = match &since {
            None => Duration::from_secs(3600),
            Some(since) => exporting.every.saturating_sub(since.elapsed()),
        };
        let (mut flush, mut ended) = (None, false);
        match receiver.recv_timeout(left) {
            Ok(Message::Span(span)) => {
                batch.push(*span);
                since.get_or_insert_with(Stopwatch::begin);
            }
            Ok(Message::Flush(done)) => flush = Some(done),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => ended = true,
        }
        let late = since.is_some_and(|s| s.elapsed() >= exporting.every);
        if !batch.is_empty() && (batch.len() >= exporting.batch || late || flush.is_some() || ended)
        {
            let client = client.get_or_insert_with(Client::new);
            let sent = runtime.block_on(send(exporting, client, &batch));
            let all = batch.len() as u64;
            counts.exported.fetch_add(sent.min(all), Ordering::Relaxed);
            let dropped = all.saturating_sub(sent);
            counts.dropped.fetch_add(dropped, Ordering::Relaxed);
            batch.clear();
            since = None;
        }
        if let Some(done) = flush {
            let _ = done.try_send(());
        }
        if ended {
            return;
        }
    }
}

/// Sends a batch; returns how many of it were taken.
async fn send(exporting: &Exporting, client: &Client, batch: &[Span]) -> u64 {
    let body = Bytes::from(otlp::request(&exporting.resource, batch).to_string());
    let mut wait = AGAIN;
    for tried in 1..=TRIES {
        match once(exporting, client, body.clone()).await {
            Tried::Took { rejected } => return (batch.len() as u64).saturating_sub(rejected),
            Tried::Refused => return 0,
            Tried::Later if tried < TRIES => tokio::time::sleep(wait).await,
            Tried::Later => {}
        }
        wait *= 2;
    }
    0
}

enum Tried {
    Took {
        rejected: u64,
    },
    /// It will not be otherwise the next time.
    Refused,
    Later,
}

async fn once(exporting: &Exporting, client: &Client, body: Bytes) -> Tried {
    let mut request = http::Request::post(&exporting.url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, "application/json");
    for (name, value) in &exporting.headers {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(body) else {
        return Tried::Refused;
    };
    match client.send(request, MOST, exporting.within).await {
        Ok(answer) if answer.status().is_success() => match otlp::rejected(answer.body()) {
            Some(rejected) => Tried::Took { rejected },
            None => Tried::Refused,
        },
        // The standard's list of what is worth another try.
        Ok(answer) => match answer.status().as_u16() {
            429 | 502 | 503 | 504 => Tried::Later,
            _ => Tried::Refused,
        },
        Err(NoAnswer::Unreachable(_) | NoAnswer::Broken(_)) => Tried::Later,
        // One that hangs is not asked again with the same: others wait meanwhile.
        Err(_) => Tried::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::{Kind, SpanId, TraceId};
    use super::*;

    fn span(n: u8) -> Span {
        Span {
            trace: TraceId::named("t"),
            id: SpanId::new([n; 8]),
            parent: None,
            name: "x".into(),
            kind: Kind::Internal,
            start: 1,
            end: 2,
            attributes: Vec::new(),
            error: None,
        }
    }

    fn exporting(port: u16, queue: usize) -> Exporting {
        Exporting {
            url: format!("http://127.0.0.1:{port}/v1/traces"),
            headers: Vec::new(),
            within: Duration::from_secs(20),
            resource: Vec::new(),
            queue,
            batch: 2,
            every: Duration::from_millis(1),
        }
    }

    #[test]
    fn a_tracer_that_is_off_takes_nothing() {
        let off = Tracer::off();
        off.tell(span(1));
        off.finish(Duration::from_secs(60));
        assert_eq!(off.lost(), Lost::default());
    }

    #[test]
    fn a_collector_that_hangs_costs_spans_and_no_time() {
        // It accepts and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let tracer = Tracer::to(exporting(silent.local_addr().unwrap().port(), 4));
        let begun = Stopwatch::begin();
        for n in 0..100 {
            tracer.tell(span(n));
        }
        let lost = tracer.lost();
        assert_eq!(lost.exported, 0);
        assert!(lost.dropped >= 80, "{lost:?}");
        assert_eq!(lost.dropped + lost.queued, 100);
        tracer.finish(Duration::from_millis(100));
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn a_collector_that_is_not_there_costs_spans_alone() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = gone.local_addr().unwrap().port();
        drop(gone);
        let tracer = Tracer::to(exporting(port, 4));
        tracer.tell(span(1));
        tracer.finish(Duration::from_secs(20));
        let lost = tracer.lost();
        assert_eq!((lost.exported, lost.dropped, lost.queued), (0, 1, 0));
    }
}
