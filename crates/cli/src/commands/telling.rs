//! Where this process's spans go, and its farewell to whoever takes them.

use std::sync::OnceLock;
use std::time::Duration;

use gonogo_app::calls::{Tracer, settings};
use gonogo_app::config::Config;

use crate::screen::{Screen, Tone};

/// How long a command that ends waits for the collector of its spans.
const FAREWELL: Duration = Duration::from_secs(2);

/// One for the process.
static TRACER: OnceLock<Tracer> = OnceLock::new();

/// Where spans go, as the variables of OpenTelemetry and the configuration say. What is wrong with them is said, and stops nothing.
pub fn tracer(config: &Config, screen: &Screen) -> Tracer {
    let make = || {
        let endpoint = config.telemetry.endpoint.as_deref();
        match settings(&|name| std::env::var(name).ok(), endpoint, &config.service) {
            Ok(Some(exporting)) => Tracer::to(exporting),
            Ok(None) => Tracer::off(),
            Err(text) => {
                screen.talk(&screen.paint(Tone::Wait, &format!("no spans are sent: {text}")));
                Tracer::off()
            }
        }
    };
    TRACER.get_or_init(make).clone()
}

/// Sends what there is, briefly.
pub fn farewell() {
    if let Some(tracer) = TRACER.get() {
        tracer.finish(FAREWELL);
    }
}
