//! `gonogo perf sweep`: real commands with other values, and a ranking of what was recorded.

use serde_json::{Value, json};

use crate::work::{CONFIG, Work};

/// Work that grows with a variable, and parts of it. Its figure is memory, all of it far above the measuring program's own: what a busy
/// machine does to times proves nothing here.
const WORK: &str = r#"
hold() { dd if=/dev/zero of=/dev/null bs=$(($1 * 80))MB count=1 2>/dev/null; }
case $1 in
batch) if [ "$BATCH" = 13 ]; then exit 1; fi; hold ${BATCH:-1};;
all) hold 6;;
parse) hold 2;;
send) hold 1;;
esac
"#;

fn config(values: &str) -> String {
    let budget = |name: &str| {
        format!(
            "[perf.{name}]\ncommand = [\"sh\", \"work.sh\", \"{name}\"]\nfigure = \"max_rss\"\nthreshold = 1e12\n"
        )
    };
    let budgets: String = ["batch", "all", "parse", "send"].map(budget).concat();
    format!(
        r#"{CONFIG}
{budgets}
[perf.sweep.size]
budget = "batch"
runs = 3
dimensions = {{ BATCH = "{values}" }}

[perf.opportunity.where]
whole = "all"
stages.parse = {{ budget = "parse", effort = 100 }}
stages.send = {{ budget = "send" }}
"#
    )
}

fn study<'a>(data: &'a Value, name: &str) -> &'a Value {
    let all = data["studies"].as_array().unwrap();
    all.iter().find(|s| s["name"] == json!(name)).unwrap()
}

#[test]
fn the_value_that_costs_least_is_chosen_and_parts_are_ranked_when_they_were_measured() {
    let work = Work::of(&config("4 1 2"), &[("work.sh", WORK)]);
    let out = work.lab.path("../sweep.json");
    let out = out.to_str().unwrap();
    let data = work.answer(&["perf", "sweep", "size", "--out", out], 0);
    let sweep = &study(&data, "size")["sweep"];
    assert_eq!(sweep["selected_defaults"], json!({"BATCH": 1}), "{sweep:#}");
    assert_eq!(sweep["sensitivity"][0]["stable"], json!(false));
    let kept = crate::work::json_of("/", out);
    assert_eq!(&kept, sweep);
    // What it follows from lies beside it, and has the digest that it names.
    let dir = data["directory"].as_str().unwrap();
    let series = std::fs::read(std::path::Path::new(dir).join("size/series.json")).unwrap();
    let digest = gonogo_core::Digest::of(&series).to_string();
    assert_eq!(sweep["source"]["digest"], json!(digest));

    // Nobody measured the parts.
    let data = work.answer(&["perf", "sweep", "where"], 1);
    let matrix = &study(&data, "where")["matrix"];
    assert_eq!(matrix["decision"], json!("NO_DECISION"));
    assert_eq!(matrix["rows"], json!([]));
    assert_eq!(matrix["readiness"]["ready"], json!(false));
    work.run(&["perf", "run", "all", "parse", "send"]).expect(0);
    let data = work.answer(&["perf", "sweep", "where"], 0);
    let matrix = &study(&data, "where")["matrix"];
    assert_eq!(matrix["decision"], json!("RANKED"), "{matrix:#}");
    // The greater part costs a hundred times as much to make better.
    assert_eq!(matrix["rows"][0]["stage"], json!("send"), "{matrix:#}");
    // Another tree was not measured.
    work.lab.write("more.txt", "a change");
    work.answer(&["perf", "sweep", "where"], 1);
    // One file holds one study.
    work.run(&["perf", "sweep", "--out", out]).expect(64);
    work.run(&["perf", "sweep", "none"]).expect(64);
}

#[test]
fn a_value_with_which_the_command_fails_blocks_the_sweep() {
    let work = Work::of(&config("1 13"), &[("work.sh", WORK)]);
    let data = work.answer(&["perf", "sweep", "size"], 1);
    let sweep = &study(&data, "size")["sweep"];
    assert_eq!(sweep["selected_defaults"], json!({}), "{sweep:#}");
    let why = sweep["readiness"]["blocking_reasons"].to_string();
    assert!(why.contains("no figure"), "{why}");
}

#[test]
fn a_sweep_without_a_choice_is_refused() {
    for (values, word) in [
        ("4", "no choice"),
        ("4 4", "each once"),
        ("0 4", "above 0"),
        ("4 many", "whole numbers"),
    ] {
        let work = Work::of(&config(values), &[]);
        let ran = work.run(&["perf", "sweep"]);
        ran.expect(78);
        assert!(ran.err.contains(word), "{values}: {}", ran.err);
    }
    let unknown = config("1 2").replace("budget = \"batch\"", "budget = \"bacth\"");
    let ran = Work::of(&unknown, &[]).run(&["perf", "sweep"]);
    ran.expect(78);
    assert!(ran.err.contains("no budget has this name"), "{}", ran.err);
    Work::new().run(&["perf", "sweep"]).expect(3);
}
