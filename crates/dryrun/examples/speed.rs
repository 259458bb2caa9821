//! speed
#![allow(
    clippy::all,
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout
)]
use gonogo_dryrun::classify::*;
use gonogo_dryrun::{Moment, Stream, spec::*};
struct A(u64, u64, i64);
impl Sink for A {
    const LINES: bool = false;
    fn line(&mut self, _: &Line<'_>) {}
    fn finding(&mut self, _: Finding) {
        self.1 += 1;
    }
}
struct B(u64, u64, i64);
impl Sink for B {
    const LINES: bool = true;
    fn line(&mut self, l: &Line<'_>) {
        self.0 += 1;
        if let Some(t) = l
            .fields
            .as_ref()
            .and_then(|f| f.timestamp)
            .and_then(gonogo_dryrun::stamp::of_json)
        {
            self.2 = t;
        }
    }
    fn finding(&mut self, _: Finding) {
        self.1 += 1;
    }
}
fn main() {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let lines = Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: vec![],
        numeric: NumericLevels::Auto,
        source_field: None,
    };
    for _ in 0..2 {
        let t = std::time::Instant::now();
        let mut c = Classifier::new(Stream::Stdout, &lines).unwrap();
        let mut s = A(0, 0, 0);
        for b in bytes.chunks(1 << 20) {
            c.feed(Moment::default(), b, &mut s);
        }
        println!(
            "LINES=false {:?} lines {} findings {}",
            t.elapsed(),
            c.counts().lines,
            s.1
        );
        let t = std::time::Instant::now();
        let mut c = Classifier::new(Stream::Stdout, &lines).unwrap();
        let mut s = B(0, 0, 0);
        for b in bytes.chunks(1 << 20) {
            c.feed(Moment::default(), b, &mut s);
        }
        println!(
            "LINES=true {:?} lines {} findings {} last {}",
            t.elapsed(),
            s.0,
            s.1,
            s.2
        );
    }
}
