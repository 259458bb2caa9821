//! Tiles by tables and properties.
