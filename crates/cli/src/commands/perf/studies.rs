//! `perf stress`.

use std::collections::BTreeMap;

use gonogo_app::perf::stressing;
use gonogo_app::workspace::write_report;
use serde_json::json;

use super::super::Answer;
use super::super::suite::home;
use super::tell;
use crate::args::Select;
use crate::args::perf::PerfStress;
use crate::screen::Screen;

pub(super) fn stress(select: &Select, a: &PerfStress, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = stressing::Ask {
        names: a.names.clone(),
        command: a.command.clone(),
        correlation_id: a.correlation_id.clone(),
        one: a.out.is_some(),
    };
    let found = stressing::run(&home, &ask, &mut |text| screen.talk(text))?;
    tell(&found.kept.run, &BTreeMap::new(), &found.kept.dir, screen);
    if let (Some(out), Some((_, bytes))) = (&a.out, found.triages.values().next()) {
        write_report(&super::super::here()?.join(out), bytes)?;
    }
    screen.frame("next: gonogo gate check");
    let triages: BTreeMap<&String, _> = found.triages.iter().map(|(n, (t, _))| (n, t)).collect();
    screen.answer(
        "perf_stress",
        json!({
            "run": found.kept.run,
            "record": found.kept.record,
            "directory": found.kept.dir,
            "triages": triages,
        }),
    );
    Ok(found.kept.run.exit())
}
