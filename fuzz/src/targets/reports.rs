//! What a test run reads: reports of every format.
//!
//! Beside "no panic, no hang": what is counted is what was given; a report that is believed has a test; texts stay within their
//! limits; how the bytes arrive changes nothing; a report that is cut has no more passes than it has when it is whole.

#[path = "../../../crates/suite/tests/reports/laws.rs"]
mod laws;

use gonogo_suite::{Format, read};

use self::laws::check;
use super::Run;
use crate::world::World;

/// Every format, under the name of its target.
pub(crate) const FORMATS: [(&str, Format); 9] = [
    ("report-junit", Format::Junit),
    ("report-trx", Format::Trx),
    ("report-libtest", Format::Libtest),
    ("report-libtest-json", Format::LibtestJson),
    ("report-go", Format::Go),
    ("report-pytest-log", Format::PytestLog),
    ("report-jest", Format::Jest),
    ("report-ctrf", Format::Ctrf),
    ("report-tap", Format::Tap),
];

pub(super) fn junit(_: World) -> Run {
    reader(Format::Junit)
}

pub(super) fn trx(_: World) -> Run {
    reader(Format::Trx)
}

pub(super) fn libtest(_: World) -> Run {
    reader(Format::Libtest)
}

pub(super) fn libtest_json(_: World) -> Run {
    reader(Format::LibtestJson)
}

pub(super) fn go(_: World) -> Run {
    reader(Format::Go)
}

pub(super) fn pytest_log(_: World) -> Run {
    reader(Format::PytestLog)
}

pub(super) fn jest(_: World) -> Run {
    reader(Format::Jest)
}

pub(super) fn ctrf(_: World) -> Run {
    reader(Format::Ctrf)
}

pub(super) fn tap(_: World) -> Run {
    reader(Format::Tap)
}

/// Whatever it is taken for, it can be read as that; what is taken for nothing has no format whatever its name.
pub(super) fn detect(_: World) -> Run {
    Box::new(|data| {
        for name in [
            None,
            Some("a.xml"),
            Some("junit.json"),
            Some("x.tap"),
            Some("run.log"),
        ] {
            if let Some(format) = read::detect(name, data) {
                check(format, data);
            }
        }
    })
}

fn reader(format: Format) -> Run {
    Box::new(move |data| check(format, data))
}
