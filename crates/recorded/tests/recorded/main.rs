//! The recorder with real sockets, a real upstream and real clients.

mod clients;
mod hostile;
mod playing;
mod recording;
mod support;
mod wire;
