//! The listeners of every service: TLS with files that change, reload, and life without a log.

// The tests are the outside world: they have real clocks.
#![allow(clippy::disallowed_methods)]

use std::process::Command;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, StatusCode};
use tests::workdir::Workdir;
use tests::{Authority, Bongsu, ports, wait, web};

const SOON: Duration = Duration::from_secs(30);
const SERVICES: [&str; 4] = ["router", "consumer", "evaluator", "notifier"];

/// `bongsu up` with a certificate of its own at each listener.
struct Up {
    bongsu: Bongsu,
    ports: [u16; 4],
    folder: Workdir,
}

impl Up {
    fn start(authority: &Authority, client_authority: Option<&Authority>) -> Self {
        let folder = Workdir::new("listeners");
        let place = folder.path().display().to_string();
        let ports = [(); 4].map(|()| ports::free());
        let mut config = format!("data_dir: {place}/data\n");
        for (service, port) in SERVICES.iter().zip(ports) {
            config += &format!(
                "{service}:\n  listen: 127.0.0.1:{port}\n  tls:\n    cert_file: {place}/{service}.pem\n    \
                 key_file: {place}/{service}.key\n"
            );
            if client_authority.is_some() {
                config += &format!("    client_ca_file: {place}/clients.pem\n");
            }
        }
        if let Some(authority) = client_authority {
            folder.write("clients.pem", &authority.pem());
        }
        folder.write("bongsu.yaml", &config);
        write_all(&folder, authority);
        let bongsu = Bongsu::service("up")
            .arg("--config")
            .arg(format!("{place}/bongsu.yaml"))
            .env("BONGSU_LOG", "info")
            .start_unready();
        Self {
            bongsu,
            ports,
            folder,
        }
    }

    fn url(&self, service: usize, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.ports[service])
    }

    /// Waits until all listeners answer that they are ready.
    async fn ready(&self, client: &Client) {
        for (service, name) in SERVICES.iter().enumerate() {
            let url = self.url(service, "/readyz");
            wait::holds(format!("{name} is ready"), SOON, async || {
                let answer = client.get(&url).send().await;
                answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
            })
            .await;
        }
    }
}

/// Gives every service a certificate of this authority.
fn write_all(folder: &Workdir, authority: &Authority) {
    for service in SERVICES {
        let signed = authority.sign(&["127.0.0.1", "bongsu.test"]);
        folder.write(&format!("{service}.pem"), &signed.certificate);
        folder.write(&format!("{service}.key"), &signed.key);
    }
}

/// A client that trusts one authority, and may show a certificate.
fn trusting(authority: &Authority, shows: Option<&Authority>) -> Client {
    drop(web::client());
    let pem = authority.pem();
    let root = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let mut client = Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .timeout(Duration::from_secs(10));
    if let Some(authority) = shows {
        let own = authority.sign(&["agent"]);
        let identity = Identity::from_pem((own.key + &own.certificate).as_bytes());
        client = client.identity(identity.expect("a certificate with its key"));
    }
    client.build().expect("a client")
}

async fn is_trusted(up: &Up, service: usize, client: &Client) -> bool {
    client.get(up.url(service, "/livez")).send().await.is_ok()
}

#[tokio::test]
async fn new_certificates_are_shown_and_bad_ones_refused_while_connections_live_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let up = Up::start(&old, None);
    let kept = trusting(&old, None);
    up.ready(&kept).await;
    // A client of another make, which checks the name as well.
    let router = up.ports[0];
    let ca = up.folder.write("ca.pem", &old.pem());
    let curl = Command::new("curl")
        .args(["-sS", "--fail", "--noproxy", "*", "--cacert"])
        .arg(&ca)
        .args(["--resolve", &format!("bongsu.test:{router}:127.0.0.1")])
        .arg(format!("https://bongsu.test:{router}/livez"))
        .output()
        .expect("curl is installed");
    assert!(curl.status.success(), "{curl:?}");
    assert_eq!(curl.stdout, b"ok\n");
    // Nothing is said in the clear, and no old protocol.
    let plain = web::client().get(format!("http://127.0.0.1:{router}/livez"));
    assert!(plain.send().await.is_err());
    let openssl = Command::new("openssl")
        .args(["s_client", "-brief", "-tls1_1", "-connect"])
        .arg(format!("127.0.0.1:{router}"))
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl is installed");
    assert!(!openssl.status.success(), "TLS 1.1 was taken");

    // A file that is no certificate: the old one stays, and says so at a reload and by itself.
    up.folder.write("router.pem", "not a certificate\n");
    let answer = kept
        .post(up.url(0, "/-/reload"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = answer.text().await.expect("a text");
    assert!(text.contains("[-] certificates of router-http"), "{text}");
    assert!(text.contains("router.pem: holds no certificate"), "{text}");
    let metrics = kept
        .get(up.url(0, "/metrics"))
        .send()
        .await
        .expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    for line in [
        "bongsu_config_last_reload_successful 0",
        "bongsu_tls_certificate_current{listener=\"router-http\"} 0",
        "bongsu_tls_certificate_current{listener=\"notifier-http\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(is_trusted(&up, 0, &trusting(&old, None)).await);

    // New ones are taken without being asked for, at all listeners.
    write_all(&up.folder, &new);
    for (service, name) in SERVICES.iter().enumerate() {
        let what = format!("{name} shows the new certificate");
        wait::holds(what, SOON, async || {
            is_trusted(&up, service, &trusting(&new, None)).await
        })
        .await;
        assert!(!is_trusted(&up, service, &trusting(&old, None)).await);
        // Its connection began with the old certificate, and was not closed.
        assert!(
            is_trusted(&up, service, &kept).await,
            "a connection was dropped"
        );
    }
    let answer = kept
        .post(up.url(0, "/-/reload"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        up.bongsu
            .log()
            .contains("new certificates are shown from now on")
    );
}

#[tokio::test]
async fn only_clients_with_a_certificate_get_further_than_the_probes() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let up = Up::start(&authority, Some(&clients));
    let stranger = trusting(&authority, None);
    up.ready(&stranger).await;
    let known = trusting(&authority, Some(&clients));
    for (path, answer) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 403),
        ("/ping", 403),
    ] {
        let refused = stranger
            .get(up.url(0, path))
            .send()
            .await
            .expect("an answer");
        assert_eq!(refused.status().as_u16(), answer, "{path}");
    }
    let taken = known
        .get(up.url(0, "/ping"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(taken.status(), StatusCode::NO_CONTENT);
    for service in 0..SERVICES.len() {
        let taken = known.get(up.url(service, "/metrics")).send().await;
        assert_eq!(taken.expect("an answer").status(), StatusCode::OK);
    }
    // A certificate of an authority that nobody named ends the handshake.
    let impostor = trusting(&authority, Some(&Authority::new("others")));
    assert!(!is_trusted(&up, 0, &impostor).await);
}

#[tokio::test]
async fn certificates_that_do_not_fit_refuse_to_start() {
    let authority = Authority::new("servers");
    let folder = Workdir::new("listeners-bad");
    let signed = authority.sign(&["127.0.0.1"]);
    let other = authority.sign(&["127.0.0.1"]);
    let certificate = folder.write("cert.pem", &signed.certificate);
    let key = folder.write("key.pem", &other.key);
    let failed = Bongsu::run(
        &[
            "up",
            "--data-dir",
            &folder.join("data").display().to_string(),
        ],
        &[
            ("BONGSU_ROUTER__LISTEN", "127.0.0.1:0"),
            (
                "BONGSU_ROUTER__TLS__CERT_FILE",
                &certificate.display().to_string(),
            ),
            ("BONGSU_ROUTER__TLS__KEY_FILE", &key.display().to_string()),
            ("BONGSU_NOTIFIER__LISTEN", "127.0.0.1:0"),
        ],
    );
    let error = format!("{:#}", failed.expect_err("the key is another's"));
    assert!(error.contains("cannot be used with the key in"), "{error}");
}

#[tokio::test]
async fn a_reload_takes_what_is_live_and_a_refused_one_names_file_line_and_cause() {
    let folder = Workdir::new("reload");
    let place = folder.path().display().to_string();
    let notifier = ports::free();
    let config = |router: &str| {
        format!(
            "data_dir: {place}/data\nnotifier:\n  listen: 127.0.0.1:{notifier}\nrouter:\n  {router}\n"
        )
    };
    let file = folder.write("bongsu.yaml", &config("points_per_s: 1000000"));
    let up = Bongsu::service("up")
        .arg("--config")
        .arg(file.display().to_string())
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
        .start()
        .await;
    let token = std::fs::read_to_string(folder.join("data/default.token")).expect("a token");
    let write = async |lines: usize| {
        let body: String = (0..lines)
            .map(|n| format!("cpu,host=h{n} v={n}i\n"))
            .collect();
        let request = web::client().post(format!("{}/api/v2/write", up.url()));
        let request = request.header("authorization", format!("Token {}", token.trim()));
        request.body(body).send().await.expect("an answer").status()
    };
    let reload = async || {
        let request = web::client().post(format!("{}/-/reload", up.url()));
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a text"))
    };
    let successful = async || {
        let found = up.metric("bongsu_config_last_reload_successful", "").await;
        found.expect("the metric").to_string()
    };
    assert_eq!(write(200).await, StatusCode::NO_CONTENT);

    // A limit changes without a restart; a key that cannot is told.
    folder.write(
        "bongsu.yaml",
        &config("points_per_s: 1\n  burst: 1s\n  in_flight_requests: 99"),
    );
    let (status, text) = reload().await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(
        text.contains("in force now: router.burst, router.points_per_s"),
        "{text}"
    );
    assert!(
        text.contains("needs a restart: router.in_flight_requests"),
        "{text}"
    );
    let waiting = up.metric("bongsu_config_restart_needed_keys", "").await;
    assert!((waiting.expect("the metric") - 1.0).abs() < f64::EPSILON);
    wait::holds("the new limit holds", SOON, async || {
        write(200).await == StatusCode::TOO_MANY_REQUESTS
    })
    .await;

    // What is wrong is refused whole, with its place.
    for (wrong, cause) in [
        (
            "points_per_s: 5\n  lisen: 1",
            "bongsu.yaml:6): unknown field `lisen`",
        ),
        ("points_per_s: [", "bongsu.yaml"),
        ("burst: soon", "configuration key `router.burst` (from "),
        (
            "routers: 0",
            "configuration key `router.routers`: must be at least 1",
        ),
    ] {
        folder.write("bongsu.yaml", &config(wrong));
        let (status, text) = reload().await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        assert!(
            text.contains("[-] configuration:") && text.contains(cause),
            "{text}"
        );
        assert_eq!(successful().await, "0");
        assert!(up.log().contains("reload refused; the old stays in force"));
        assert_eq!(write(200).await, StatusCode::TOO_MANY_REQUESTS);
    }

    // The signal does the same.
    folder.write("bongsu.yaml", &config("points_per_s: 1000000"));
    up.hang_up();
    wait::holds("the reload by signal", SOON, async || {
        successful().await == "1"
    })
    .await;
    wait::holds("the first limit holds again", SOON, async || {
        write(200).await == StatusCode::NO_CONTENT
    })
    .await;

    // What a proxy passes on comes from somebody else.
    let passed_on = web::client().post(format!("{}/-/reload", up.url()));
    let passed_on = passed_on
        .header("x-forwarded-for", "203.0.113.7")
        .send()
        .await;
    assert_eq!(
        passed_on.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn every_service_says_that_it_lives_while_there_is_no_log() {
    for service in SERVICES {
        let name = service.to_ascii_uppercase();
        let folder = Workdir::new("alive");
        let token = folder.write("token", "secret\n");
        let mut alone = Bongsu::service(service)
            .env(
                "BONGSU_KAFKA__BROKERS",
                format!("127.0.0.1:{}", ports::free()),
            )
            .env(format!("BONGSU_{name}__LISTEN"), "127.0.0.1:{port}")
            .env("BONGSU_NOTIFIER__DATABASE__SQLITE", "{dir}/incidents.db")
            .env(
                "BONGSU_NOTIFIER__API_TOKEN_FILE",
                token.display().to_string(),
            )
            .start_unready();
        let client = web::client();
        let get = async |path: &str| {
            let answer = client.get(format!("{}{path}", alone.url())).send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>((status, answer.text().await?))
        };
        wait::holds(format!("{service} lives"), SOON, async || {
            get("/livez").await.is_ok_and(|(status, _)| status == 200)
        })
        .await;
        // A router serves without a log. Who was connected while it started is disconnected then.
        if service == "router" {
            wait::holds("the router serves", SOON, async || {
                let answer = get("/readyz?verbose").await;
                answer.is_ok_and(|(_, text)| text.contains("[+] service"))
            })
            .await;
        }
        for (path, wanted) in [
            ("/livez", 200),
            ("/-/healthy", 200),
            ("/metrics", 200),
            ("/readyz?verbose", 503),
            ("/-/ready", 503),
        ] {
            let answer = get(path).await;
            let (status, text) = answer
                .unwrap_or_else(|error| panic!("{service}{path}: {error:?}\n{}", alone.log()));
            assert_eq!(status, wanted, "{service}{path}: {text}");
        }
        wait::holds(
            format!("{service} says what it waits for"),
            SOON,
            async || {
                let answer = get("/readyz?verbose").await;
                answer.is_ok_and(|(_, text)| text.contains("[-] catalogue"))
            },
        )
        .await;
        let status = alone.terminate(SOON).await.expect("it stops");
        assert!(
            status.success() || service != "router",
            "{service} ended with {status}: {}",
            alone.log()
        );
    }
}
