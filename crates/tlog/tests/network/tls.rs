//! The client over TLS: it believes the system's roots, here a file of this test's, and nothing else.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gonogo_tlog::serve::Site;
use gonogo_tlog::{Client, Publication};
use http::Request;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Book, Running, runtime};

const CHILD: &str = "GONOGO_TLOG_HTTPS";

/// Roots are read from the environment, so each case is a process of its own.
#[test]
fn https_believes_the_system_s_roots_only() {
    if let Ok(url) = std::env::var(CHILD) {
        say_what_comes_back(&url);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let book = Book::new(3);
    book.publish(dir.path(), 3);
    let plain = Running::start(Site::new(Publication::new(dir.path()), ""));
    let (ours, other) = (authority(), authority());
    let roots = |name: &str, authority: &CertifiedIssuer<'static, KeyPair>| {
        let path = dir.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        path
    };
    let (right, wrong) = (roots("right.pem", &ours), roots("wrong.pem", &other));
    let runtime = runtime();
    let port = runtime.block_on(front(&ours, plain.addr));
    let ask = |host: &str, roots: &Path| {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::https_believes_the_system_s_roots_only"])
            .arg("--nocapture")
            .env(CHILD, format!("https://{host}:{port}/checkpoint"))
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        assert!(run.status.success());
        String::from_utf8(run.stdout).unwrap()
    };
    let said = ask("localhost", &right);
    assert!(
        said.contains(&format!("answer 200 {:?}", book.checkpoint(3))),
        "{said}"
    );
    let said = ask("localhost", &wrong);
    assert!(
        said.contains("failure no connection") && said.contains("certificate"),
        "{said}"
    );
    let said = ask("127.0.0.1", &right);
    assert!(
        said.contains("failure no connection") && said.contains("certificate"),
        "{said}"
    );
    std::fs::write(&wrong, "").unwrap();
    let said = ask("localhost", &wrong);
    assert!(
        said.contains("failure") && said.contains("SSL_CERT_FILE"),
        "{said}"
    );
}

#[expect(clippy::print_stdout, reason = "how the parent learns the answer")]
fn say_what_comes_back(url: &str) {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    let sent = runtime().block_on(async {
        Client::new()
            .send(request, 4096, Duration::from_secs(20))
            .await
    });
    match sent {
        Ok(answer) => {
            let body = String::from_utf8(answer.body().to_vec()).unwrap();
            println!("\nanswer {} {body:?}", answer.status().as_u16());
        }
        Err(e) => println!("\nfailure {e}"),
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Ends TLS for `localhost` on a free port and passes the bytes on.
async fn front(authority: &CertifiedIssuer<'static, KeyPair>, to: std::net::SocketAddr) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    // `localhost` may mean either.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut behind = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
            });
        }
    });
    port
}
