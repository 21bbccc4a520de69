//! The image: packed without a container engine, and run as a cluster would: not as root, on a root that cannot be written, without
//! capabilities.

// The tests are the outside world: they have real clocks and tasks of their own, and show what Helm and runc said.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::process::Process;
use tests::workdir::Workdir;
use tests::{ports, wait, web};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the issue of the image allows, compressed.
const LARGEST: u64 = 80_000_000;

fn run(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {told}", program.display());
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// Packs the program that the other tests run.
fn pack(folder: &Workdir) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/image");
    let binary = tests::bongsu::binary().display().to_string();
    let told = run(&script, &[&binary, &folder.path().display().to_string()]);
    eprintln!("{told}");
    folder.join("oci")
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            size(&path)
        } else {
            path.metadata().expect("a file").len()
        }
    });
    sizes.sum()
}

/// What the image says that a cluster must say as well: the chart's pod security.
fn restrict(config: &mut Value, arguments: &[&str], data: &Path) {
    let mut command = vec!["/usr/bin/bongsu"];
    command.extend(arguments);
    config["process"]["args"] = json!(command);
    config["process"]["terminal"] = json!(false);
    config["process"]["noNewPrivileges"] = json!(true);
    for set in [
        "bounding",
        "effective",
        "permitted",
        "inheritable",
        "ambient",
    ] {
        config["process"]["capabilities"][set] = json!([]);
    }
    config["root"]["readonly"] = json!(true);
    let mounts = config["mounts"].as_array_mut().expect("mounts");
    mounts.retain(|mount| mount["destination"] != "/var/lib/bongsu");
    let kept = json!({"destination": "/var/lib/bongsu", "type": "bind", "source": data, "options": ["bind", "rw"]});
    mounts.push(kept);
    // The test reaches it over loopback.
    let spaces = config["linux"]["namespaces"].as_array_mut();
    spaces
        .expect("namespaces")
        .retain(|space| space["type"] != "network");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_is_small_and_runs_without_rights_on_a_root_that_cannot_be_written() {
    let folder = Workdir::new("image");
    let image = pack(&folder);
    let bytes = size(&image);
    assert!(bytes < LARGEST, "{bytes} bytes");

    let bundle = folder.join("bundle");
    let named = format!("{}:{VERSION}", image.display());
    let mut unpack = vec!["unpack", "--image", &named];
    if !superuser() {
        unpack.push("--rootless");
    }
    let place = bundle.display().to_string();
    unpack.push(&place);
    run(Path::new("umoci"), &unpack);
    for shell in ["bin/sh", "usr/bin/sh", "usr/bin/apt-get"] {
        assert!(
            !bundle.join("rootfs").join(shell).exists(),
            "{shell} is in the image"
        );
    }
    let file = bundle.join("config.json");
    let config = std::fs::read_to_string(&file).expect("it can be read");
    let mut config: Value = serde_json::from_str(&config).expect("it is JSON");
    assert_eq!(
        config["process"]["user"]["uid"], 10001,
        "the image's own user"
    );
    assert_eq!(config["process"]["args"], json!(["/usr/bin/bongsu"]));

    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a folder");
    if superuser() {
        std::os::unix::fs::chown(&data, Some(10001), Some(10001)).expect("it is given away");
    } else {
        // A user namespace of one's own holds one user; it is called 0 in there and nobody outside.
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
    }
    let (router, http) = (ports::free(), ports::free());
    let (router, http) = (format!("127.0.0.1:{router}"), format!("127.0.0.1:{http}"));
    let arguments = ["up", "--data-dir", "/var/lib/bongsu"];
    restrict(&mut config, &arguments, &data);
    let settings = [
        format!("BONGSU_ROUTER__LISTEN={router}"),
        format!("BONGSU_NOTIFIER__LISTEN={http}"),
    ];
    let environment = config["process"]["env"]
        .as_array_mut()
        .expect("an environment");
    environment.extend(settings.map(Value::from));
    std::fs::write(&file, config.to_string()).expect("it can be written");

    let mut runc = Command::new(runc());
    let name = format!("bongsu-{}", std::process::id());
    runc.args(["--root", &folder.join("runc").display().to_string()])
        .args(["run", "--bundle", &bundle.display().to_string(), &name]);
    let mut container = Process::start("runc", runc, folder.join("runc.log"));
    let (client, ready) = (web::client(), format!("http://{http}/readyz"));
    container
        .ready(Duration::from_secs(60), async || {
            Ok(client.get(&ready).send().await?.status().is_success())
        })
        .await;
    // It prints what an agent needs.
    let token = wait::until(Duration::from_secs(10), async || {
        let told = std::fs::read_to_string(container.log())?;
        let token = told.split("token = \"").nth(1);
        Ok(token.and_then(|rest| Some(rest.split_once('"')?.0.to_owned())))
    });
    let token = token.await.expect("it prints a token");
    let write = client.post(format!("http://{router}/api/v2/write"));
    let write = write.header("authorization", format!("Token {token}"));
    let answer = write.body("cpu,host=web-1 usage=1").send().await;
    assert_eq!(answer.expect("it answers").status(), 204);
    let status = container
        .terminate(Duration::from_secs(30))
        .await
        .expect("it drains");
    assert!(status.success(), "{status}\n{}", container.tail());
}

fn superuser() -> bool {
    rustix::process::geteuid().is_root()
}

fn runc() -> PathBuf {
    let places = ["/usr/sbin/runc", "/usr/bin/runc"].map(PathBuf::from);
    let found = places.into_iter().find(|place| place.is_file());
    found.expect("runc is not installed for the tests: run tests/real/install runc")
}
