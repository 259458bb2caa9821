//! Reads whole configurations: what a small file means, what a full file means, which file is found, which names are known.

use std::path::Path;

use gonogo_app::config::{self, Config, Overrides};
use gonogo_core::{Digest, Reason, Share, Span};
use gonogo_release::plan::{Artifact, Gates, Protocol, ReadyProbe, TargetSpec};

const SMALL: &str = include_str!("fixtures/config/valid/small.toml");
const FULL: &str = include_str!("fixtures/config/valid/full.toml");

fn parse(text: &str) -> Config {
    Config::parse(Path::new("shop/gonogo.toml"), text.as_bytes()).expect("the file has no fault")
}

#[test]
fn a_small_file_is_filled_with_the_documented_defaults() {
    let config = parse(SMALL);
    assert_eq!(config.service, "storefront");
    assert_eq!(config.root(), Path::new("shop"));
    assert_eq!(config.digest, Digest::of(SMALL.as_bytes()));
    let local = config.environment(None).unwrap();
    assert_eq!(local.name, "local");
    assert_eq!(local.gates, Gates::None);
    assert!(local.approval.own && local.approval.approvers.is_empty());
    assert_eq!(local.approval.max_sla, Span::from_secs(3600));
    assert_eq!(local.strategy, config::default_strategy());
    assert_eq!(local.checks, config::default_checks());
    let version = config.version("1.0").unwrap();
    assert_eq!(version.run, ["./bin/storefront", "--port", "{port}"]);
    assert_eq!(version.port_env, "PORT");
    assert_eq!(version.protocol, Protocol::Http1);
    assert_eq!(version.ready.probe, ReadyProbe::Tcp);
    assert_eq!(version.ready.within, Span::from_secs(15));
    assert_eq!(
        (version.drain.signal.as_str(), version.drain.within),
        ("TERM", Span::from_secs(10))
    );
}

#[test]
fn a_full_file_says_what_it_says() {
    let config = parse(FULL);
    let version = config.version("2.0.0").unwrap();
    assert_eq!(
        version.run,
        ["./bin/storefront", "--behaviour", "versions/2.0.0.toml"]
    );
    assert_eq!(
        version.artifacts,
        ["./bin/storefront", "versions/2.0.0.toml"]
    );
    assert_eq!(version.env["RELEASE"], "storefront-2.0.0");
    assert_eq!(version.env_from, ["DATABASE_URL"]);
    assert_eq!(version.port_env, "HTTP_PORT");
    assert_eq!(version.protocol, Protocol::H2c);
    assert_eq!(version.ready.probe, ReadyProbe::Http("/readyz".into()));
    assert_eq!(version.ready.interval, Span::from_millis(50));
    assert_eq!(
        (version.drain.signal.as_str(), version.drain.within),
        ("INT", Span::from_secs(3))
    );

    // A version replaces whole keys and keeps the others.
    let old = config.version("1.4.0").unwrap();
    assert_eq!(old.run, ["./bin/old"]);
    assert_eq!(old.ready.probe, ReadyProbe::Tcp);
    assert_eq!(old.ready.interval, Span::from_millis(100));
    assert_eq!(old.env["RELEASE"], "storefront-1.4.0");
    assert_eq!(old.protocol, Protocol::H2c);

    let prod = config.environment(Some("prod")).unwrap();
    let TargetSpec::Host {
        listen,
        sticky_cookie,
    } = &prod.target;
    assert_eq!((listen.as_str(), sticky_cookie), ("0.0.0.0:80", &None));
    assert!(!prod.approval.own);
    assert_eq!(prod.approval.required, 2);
    assert_eq!(prod.approval.roles, ["release-manager", "sre"]);
    assert_eq!(prod.approval.approvers[1].id, "noor");
    assert_eq!(prod.approval.requesters[0].id, "rita@example.org");
    let people: Vec<&str> = config.people().map(|(id, _)| id).collect();
    assert_eq!(people, ["dana", "noor", "rita@example.org"]);
    assert_eq!(prod.approval.max_sla, Span::from_secs(1800));
    assert_eq!(prod.strategy.name, "canary");
    let weights: Vec<u32> = prod
        .strategy
        .stages
        .iter()
        .map(|s| s.weight.basis_points())
        .collect();
    assert_eq!(weights, [50, 1000]);
    assert_eq!(prod.strategy.stages[0].bake, Span::from_secs(20));
    assert_eq!(prod.strategy.stages[1].within, Span::from_secs(600));
    assert_eq!(prod.strategy.soak, Span::from_secs(60));
    assert_eq!(prod.checks.min_requests, 1000);
    assert_eq!(prod.checks.errors.margin, Share::from_ppm(1000));
    assert_eq!(prod.checks.errors.limit, Share::from_percent(2));
    assert_eq!(prod.checks.slow_over, Span::from_millis(100));
    assert_eq!(prod.checks.alpha_abort, Share::from_ppm(1000));
    let TargetSpec::Host { sticky_cookie, .. } = &config.environment(Some("local")).unwrap().target;
    assert_eq!(sticky_cookie.as_deref(), Some("gonogo"));
}

#[test]
fn artifacts_complete_a_version() {
    let artifact = Artifact {
        path: "./bin/storefront".into(),
        sha256: Digest::of(b"x"),
        bytes: 1,
        executable: true,
    };
    let spec = parse(SMALL)
        .version("1.0")
        .unwrap()
        .with_artifacts(vec![artifact.clone()]);
    assert_eq!(
        (spec.version.as_str(), spec.artifacts),
        ("1.0", vec![artifact])
    );
}

#[test]
fn the_template_reads() {
    let config = parse(config::template());
    let local = config.environment(None).unwrap();
    assert_eq!(local.strategy.stages, config::default_strategy().stages);
    assert_eq!(local.checks, config::default_checks());
    assert!(config.has_template());
}

#[test]
fn the_template_reads_with_its_comments_taken_off() {
    let open: Vec<String> = config::template()
        .replace("<64 hex digits>", &"0".repeat(64))
        .replace("<64 other hex digits>", &"1".repeat(64))
        .replace("approval = \"self\"", "#")
        .lines()
        .skip(2)
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(['=', ']', '[']) => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let config = parse(&open.join("\n"));
    assert_eq!(
        config.version("1.4.0").unwrap().run,
        ["./bin/storefront-1.4.0"]
    );
    let local = config.environment(None).unwrap();
    assert_eq!(local.approval.approvers[0].id, "dana");
    assert_eq!(local.approval.requesters[0].id, "rita");
}

#[test]
fn unknown_names_bring_the_nearest_and_the_list() {
    let config = parse(FULL);
    let e = config
        .environment(Some("prud"))
        .unwrap_err()
        .first()
        .clone();
    assert_eq!(e.reason, Reason::EnvironmentUnknown);
    assert_eq!(e.hints, ["did you mean `prod`?", "known: local, prod"]);
    let e = config.environment(None).unwrap_err().first().clone();
    assert_eq!(e.reason, Reason::EnvironmentUnknown);
    assert!(e.hints[0].ends_with("local, prod"), "{e:?}");

    let only = parse(&FULL.replace("[version]\n", "[versions.\"2.0.0\"]\n"));
    assert!(!only.has_template());
    let e = only.version("1.4.1").unwrap_err().first().clone();
    assert_eq!(e.reason, Reason::VersionUnknown);
    assert_eq!(e.hints, ["did you mean `1.4.0`?", "known: 1.4.0, 2.0.0"]);
    for bad in ["../x", "", "a b", "-rf", "a\n"] {
        let e = config.version(bad).unwrap_err().first().clone();
        assert_eq!(e.reason, Reason::VersionUnknown, "{bad:?}");
        assert!(!e.message.contains('\n'));
    }
}

#[test]
fn a_template_without_run_names_no_version() {
    let text = SMALL.replace("run = [\"./bin/storefront\", \"--port\", \"{port}\"]\n", "")
        + "[versions.a]\nrun = [\"./a\"]\n";
    let config = parse(&text);
    assert_eq!(config.version("a").unwrap().artifacts, ["./bin/storefront"]);
    assert_eq!(
        config.version("b").unwrap_err().first().reason,
        Reason::VersionUnknown
    );
    assert!(!config.has_template());
}

#[test]
fn addresses_have_one_spelling() {
    let config = parse(&SMALL.replace("127.0.0.1:8080", "[0:0::1]:08080"));
    let TargetSpec::Host { listen, .. } = &config.environment(None).unwrap().target;
    assert_eq!(listen, "[::1]:8080");
}

#[test]
fn the_file_is_found_here_above_or_as_named() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let none = config::find(&deep.join("absent"));
    // Nothing above a fresh temporary directory holds the file.
    assert_eq!(none.unwrap_err().first().reason, Reason::ConfigNotFound);
    let outer = dir.path().join("gonogo.toml");
    std::fs::write(&outer, SMALL).unwrap();
    assert_eq!(config::find(&deep).unwrap(), outer);
    let inner = dir.path().join("a/gonogo.toml");
    std::fs::write(&inner, FULL).unwrap();
    assert_eq!(config::find(&deep).unwrap(), inner);
    assert_eq!(
        Config::discover(&deep, &Overrides::default()).unwrap().path,
        inner
    );
    let named = Overrides {
        config: Some(outer.clone()),
        environment: None,
    };
    assert_eq!(Config::discover(&deep, &named).unwrap().path, outer);
}

#[test]
fn what_cannot_be_read_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("gonogo.toml")).unwrap();
    std::fs::write(at("latin1"), b"service = \"caf\xe9\"\n").unwrap();
    std::fs::write(at("large"), vec![b'#'; config::MAX_BYTES as usize + 1]).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    for (name, reason, said) in [
        ("gonogo.toml", Reason::ConfigUnreadable, "directory"),
        (
            "latin1",
            Reason::ConfigUnreadable,
            "not UTF-8 at byte 14 in line 1",
        ),
        (
            "large",
            Reason::ConfigUnreadable,
            "larger than 1048576 bytes",
        ),
        ("dangling", Reason::ConfigUnreadable, "cannot be read"),
        ("absent", Reason::ConfigNotFound, "no such file"),
    ] {
        let errors = Config::read(&at(name)).unwrap_err();
        let e = errors.first();
        assert_eq!(e.reason, reason, "{name}");
        assert!(e.message.contains(said), "{name}: {e}");
        assert!(e.to_string().starts_with(at(name).to_str().unwrap()), "{e}");
        assert!(!e.hints.is_empty());
    }
    // A directory in the file's place is found and reported, not skipped.
    let errors = Config::discover(dir.path(), &Overrides::default()).unwrap_err();
    assert_eq!(errors.first().reason, Reason::ConfigUnreadable);
    let null = Config::read(Path::new("/dev/null")).unwrap_err();
    assert!(null.first().message.contains("not a regular file"));
}

#[test]
fn a_file_may_be_about_dry_runs_alone() {
    let config = parse(include_str!("fixtures/config/valid/dry_run.toml"));
    assert_eq!(
        config.environment(None).unwrap_err().all()[0].message,
        "the file has no environment"
    );
    let run = &config.dry_run;
    assert_eq!(run.command.as_deref().unwrap(), ["./bin/trader", "--paper"]);
    assert_eq!(run.required_duration, Some(Span::from_secs(71 * 3600)));
    assert_eq!(run.minimum_uptime, Some(Share::from_ppm(985_000)));
    assert_eq!(run.minimum_sharpe, Some(1.5));
    assert_eq!(run.rotate_size, Some(1 << 30));
    assert_eq!((run.compression, run.stderr), (Some("zstd"), Some("info")));
    let beat = run.heartbeat.as_ref().unwrap();
    assert_eq!(
        (beat.period, beat.tolerance),
        (Span::from_secs(5), Some(3.0))
    );
    assert_eq!(run.allow[0].owner, "dana");
    let heap = &run.evidence[0];
    assert_eq!((heap.min_entries, heap.stale_warn), (Some(10), None));
    assert_eq!(heap.thresholds[0].max, Some(512.5));
    assert_eq!(heap.thresholds[1].equals.as_deref(), Some("ok"));
    assert_eq!(run.resources.max_memory_mb, Some(2048.0));
    assert_eq!(run.diary.min_entries_per_day, Some(100));
    // What is absent is absent: the default is laid on where the flags are.
    assert_eq!(
        (run.duration, run.views),
        (Some(Span::from_secs(72 * 3600)), None)
    );
    // With anything of a release in it, the file must be whole.
    let half = Config::parse(Path::new("gonogo.toml"), b"service = \"x\"\n[dry_run]\n");
    assert!(half.is_err());
}
