//! The Dockerfile, which no test builds because none has an engine: that it parses, that what it names exists, and that it makes
//! what `scripts/image` makes.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The instructions with their arguments, lines that go on put together.
fn instructions(text: &str) -> Vec<(String, String)> {
    let whole = text.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            (word.to_owned(), rest)
        })
        .collect()
}

#[test]
fn it_is_what_the_reference_of_dockerfiles_allows_and_what_it_names_exists() {
    // The instructions of https://docs.docker.com/reference/dockerfile/ that ours may use.
    const KNOWN: [&str; 8] = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "USER",
        "VOLUME",
        "EXPOSE",
        "ENTRYPOINT",
    ];
    let all = instructions(&read("Dockerfile"));
    assert_eq!(all[0].0, "FROM", "a Dockerfile begins with FROM");
    for (word, rest) in &all {
        assert!(KNOWN.contains(&word.as_str()), "{word} {rest}");
        assert!(!rest.is_empty(), "{word} has no argument");
        for program in rest
            .split([' ', '&', ';'])
            .filter(|part| part.starts_with("scripts/"))
        {
            use std::os::unix::fs::PermissionsExt;
            let file = root().join(program);
            let mode =
                std::fs::metadata(&file).unwrap_or_else(|error| panic!("{program}: {error}"));
            assert!(
                mode.permissions().mode() & 0o111 != 0,
                "{program} cannot be run"
            );
        }
    }
    let stages: Vec<&str> = all
        .iter()
        .filter(|(word, _)| word == "FROM")
        .filter_map(|(_, rest)| rest.split(" AS ").nth(1))
        .collect();
    for (_, rest) in all.iter().filter(|(word, _)| word == "COPY") {
        if let Some(from) = rest.strip_prefix("--from=") {
            let from = from.split(' ').next().expect("a stage");
            assert!(stages.contains(&from), "no stage is called {from}");
        }
    }
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = \""));
    let channel = channel
        .and_then(|rest| rest.strip_suffix('"'))
        .expect("a channel");
    assert!(
        all[0].1.starts_with(&format!("rust:{channel}-")),
        "the stage builds with another compiler than rust-toolchain.toml names: {}",
        all[0].1
    );
    // What is not sent to the engine is not needed there.
    for ignored in read(".dockerignore").lines() {
        let copied = ["Cargo.toml", "Cargo.lock", "scripts", "bongsu", "crates"];
        assert!(!copied.contains(&ignored), "{ignored} is needed");
    }
}

#[test]
fn it_makes_what_the_script_makes() {
    let script = read("scripts/image");
    let option = |name: &str| -> Vec<String> {
        let key = format!("--config.{name} ");
        let found = script.split(&key).skip(1);
        let found = found.filter_map(|rest| rest.split_whitespace().next());
        found.map(str::to_owned).collect()
    };
    let all = instructions(&read("Dockerfile"));
    let of = |word: &str| -> Vec<&str> {
        let found = all.iter().filter(|(found, _)| found == word);
        found.map(|(_, rest)| rest.as_str()).collect()
    };
    assert_eq!(of("USER"), option("user"));
    assert_eq!(
        of("WORKDIR").last().map(|text| (*text).to_owned()),
        option("workingdir").pop()
    );
    assert_eq!(of("VOLUME"), option("volume"));
    let ports: Vec<String> = of("EXPOSE")
        .join(" ")
        .split(' ')
        .map(|port| format!("{port}/tcp"))
        .collect();
    assert_eq!(ports, option("exposedports"));
    assert_eq!(
        of("ENTRYPOINT"),
        [format!("[\"{}\"]", option("entrypoint").concat())]
    );
    assert_eq!(
        of("FROM").last(),
        Some(&"scratch"),
        "nothing but what image-root puts together"
    );
    let runs = of("RUN").join(" && ");
    for step in [
        "scripts/build-packages",
        "cargo build --locked --release -p bongsu",
        "scripts/image-root target/release/bongsu /image",
    ] {
        assert!(runs.contains(step), "{step}");
    }
    assert!(
        script.contains("scripts/image-root"),
        "the script packs the same files"
    );
}
