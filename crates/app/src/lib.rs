//! gonogo-app.
