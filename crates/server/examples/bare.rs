//! A bare axum handler with one address, to measure beside the server: `bare ADDRESS FILE` answers `GET /operations/{id}` with the
//! bytes of FILE as JSON. It looks nothing up, asks nobody who they are, and serves as axum does by itself.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up ends"
)]

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;

fn main() {
    let mut args = std::env::args().skip(1);
    let (address, file) = (args.next().unwrap(), args.next().unwrap());
    let bytes = bytes::Bytes::from(std::fs::read(file).unwrap());
    let answer = move |_: RawPathParams| {
        let body = Body::from(bytes.clone());
        std::future::ready(
            Response::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(body)
                .unwrap(),
        )
    };
    let router: Router = Router::new().route("/operations/{id}", get(answer));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}
