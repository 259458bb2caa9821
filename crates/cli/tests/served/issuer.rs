//! An issuer of tokens of the tests' own: keys that are made when they are needed, and a small HTTP server that hands them out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of an issuer.
pub(crate) struct Key {
    id: &'static str,
    of: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn p256(id: &'static str) -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap();
        Self {
            id,
            of: Pair::P256(pair),
        }
    }

    pub(crate) fn ed25519(id: &'static str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        Self {
            id,
            of: Pair::Ed25519(pair),
        }
    }

    /// The public half (RFC 7517).
    pub(crate) fn public(&self) -> Value {
        match &self.of {
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": b64(pair.public_key())})
            }
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let algorithm = match self.of {
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.id});
        let text = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = match &self.of {
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), text.as_bytes());
                signature.unwrap().as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", b64(signature))
    }
}

/// A set of keys as it is published.
pub(crate) fn set(keys: &[&Key]) -> String {
    let keys: Vec<Value> = keys.iter().map(|k| k.public()).collect();
    json!({ "keys": keys }).to_string()
}

/// A server that hands out a text; ends when dropped.
pub(crate) struct Published {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    /// None: whoever comes is cut off.
    text: Mutex<Option<String>>,
    asked: AtomicUsize,
    ended: AtomicBool,
}

impl Published {
    pub(crate) fn new(text: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            text: Mutex::new(Some(text)),
            asked: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let answer = move || {
            for stream in listener.incoming().flatten() {
                if own.ended.load(Ordering::Acquire) {
                    return;
                }
                own.asked.fetch_add(1, Ordering::AcqRel);
                let text = own.text.lock().unwrap().clone();
                let (mut stream, mut head) = (stream, [0; 4096]);
                let _ = stream.read(&mut head);
                if let Some(text) = text {
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                        text.len()
                    );
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        };
        Self {
            address,
            shared,
            thread: Some(std::thread::spawn(answer)),
        }
    }

    /// Hands out something else from now on; nothing at all without a text.
    pub(crate) fn publish(&self, text: Option<String>) {
        *self.shared.text.lock().unwrap() = text;
    }

    /// How often somebody has asked.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::Acquire)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // One more caller, so that the thread looks.
        drop(std::net::TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
